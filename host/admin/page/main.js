// Takes the token out of the address, and shows the view that the hash names.
import { onUnauthorized, takeTokenFromAddress, unescapePart } from "./api.js";
import { show as showCommands, showOne as showCommand } from "./commands.js";
import { show as showDead } from "./dead.js";
import { show as showLetter } from "./letter.js";
import { show as showLive } from "./live.js";
import { show as showPlugins } from "./plugins.js";
import { show as showSend } from "./send.js";
import { askForToken, refreshSession, startSignIn } from "./sign_in.js";

const kViews = {
  live: { title: "Live", show: showLive },
  plugins: { title: "Plugins", show: showPlugins },
  commands: { title: "Commands", show: showCommands, showOne: showCommand },
  dead: { title: "Dead letters", show: showDead, showOne: showLetter },
  send: { title: "Send", show: showSend, showOne: showSend },
};

let leaving = new AbortController();

// "#/commands/ID?key=user:2" is the view, what it is about, and the query.
function route() {
  const [path, query = ""] = location.hash.slice(1).split("?", 2);
  const [, name = "", about = ""] = path.split("/");
  return {
    name: Object.hasOwn(kViews, name) ? name : "live",
    about: unescapePart(about),
    query: new URLSearchParams(query),
  };
}

function markLink(name) {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function show(focus) {
  leaving.abort();
  leaving = new AbortController();
  const { name, about, query } = route();
  const view = kViews[name];
  const root = document.getElementById("view");
  markLink(name);
  document.title = `${view.title} · iq`;
  root.replaceChildren();
  const start = about && view.showOne ? view.showOne : view.show;
  start(root, { about, query, signal: leaving.signal });
  if (!focus) return;
  scrollTo(0, 0);
  root.querySelector("h2").focus({ preventScroll: true });
}

// The skip link's own hash would name no view.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("view").focus();
});

function hashChanged() {
  const tokenCame = /^#(?:.*&)?token=/.test(location.hash);
  takeTokenFromAddress();
  if (tokenCame) refreshSession();
  show(true);
}

takeTokenFromAddress();
onUnauthorized(askForToken);
startSignIn(() => show(false));
addEventListener("hashchange", hashChanged);
show(false);
refreshSession();
