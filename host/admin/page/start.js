// The page's frame is painted first; what fills it is fetched then.
requestAnimationFrame(() => setTimeout(() => import("./main.js")));
