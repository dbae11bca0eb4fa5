// The page's frame is painted first; what fills it is fetched then. A hidden tab paints nothing.
const fill = () => import("./main.js");
if (document.hidden) fill();
else requestAnimationFrame(() => setTimeout(fill));
