// Who looks: the header's name and right, and the dialog that takes a token.
import { loadSession, session, setToken, token } from "./api.js";
import { visible } from "./text.js";

const part = (id) => document.getElementById(id);
let afterwards = () => {};

function rightInWords() {
  if (session.may === "write") return `${session.name || "signed in"}, may write`;
  if (session.name) return `${session.name}, read only`;
  return session.may === "read" ? "read only" : "not signed in";
}

function showSession() {
  part("who").textContent = visible(rightInWords());
  part("sign-out").hidden = token() === "";
  part("no-tokens").hidden = session.hasTokens !== false;
  document.body.classList.toggle("may-write", session.may === "write");
  const about = ["version", "host", "broker", "store", "locks"].filter((name) => session[name])
    .map((name) => `${name === "version" ? "iq" : name} ${session[name]}`);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  about.push(`times are this browser's (${zone})`);
  part("about").textContent = visible(about.join(" · "));
}

export function askForToken() {
  const dialog = part("sign-in-dialog");
  if (dialog.open) return;
  part("sign-in-fault").textContent = "";
  dialog.showModal();
  part("token").focus();
}

// Reads who this is, and asks for a token where nothing may be read.
export async function refreshSession() {
  try {
    await loadSession();
    if (session.may === "none") askForToken();
  } catch (error) {
    part("about").textContent = visible(error.message);
  }
  showSession();
}

async function signIn(event) {
  event.preventDefault();
  const before = token();
  setToken(part("token").value.trim());
  try {
    await loadSession();
    if (session.name === null) throw new Error("The host does not know this token.");
  } catch (error) {
    setToken(before);
    part("sign-in-fault").textContent = visible(error.message);
    return;
  }
  part("token").value = "";
  part("sign-in-dialog").close();
  showSession();
  afterwards();
}

async function signOut() {
  setToken("");
  await refreshSession();
  part("sign-in").focus();
  afterwards();
}

// `changed` is called when somebody signed in or out.
export function startSignIn(changed) {
  afterwards = changed;
  part("sign-in").addEventListener("click", askForToken);
  part("sign-out").addEventListener("click", signOut);
  part("sign-in-cancel").addEventListener("click", () => part("sign-in-dialog").close());
  part("sign-in-form").addEventListener("submit", signIn);
}
