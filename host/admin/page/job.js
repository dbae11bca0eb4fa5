// The dialog of a retry or drop of many letters: what it would do, then the act itself, its
// progress and its stop.
import { get, post } from "./api.js";
import { actHint, button, el, notice, number, table, text, uniqueId } from "./dom.js";
import { count, visible } from "./text.js";

const kAskAgainMs = 500;
const kDone = { retry: "Retried", drop: "Dropped" };
const kDoing = { retry: "Retrying", drop: "Dropping" };
const kVerb = { retry: "Retry", drop: "Drop" };

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

// Tells of the job until it has ended, or until nobody looks.
async function follow(job, tell, signal) {
  let current = job;
  tell(current);
  while (current.state === "running") {
    await pause(kAskAgainMs, signal);
    if (signal.aborted) return current;
    current = await get(`jobs/${encodeURIComponent(current.id)}`, signal);
    tell(current);
  }
  return current;
}

function inWords(job) {
  const { kind, dryRun, state, acted, looked, size, message } = job;
  const more = message ? ` ${message}` : "";
  if (dryRun && state === "done") return `Would ${kind} ${count(acted)} of ${count(size)}.${more}`;
  if (dryRun && state === "running") return `Looked at ${count(looked)} of ${count(size)}.${more}`;
  if (dryRun) return `The dry run has ${state}.${more}`;
  if (state === "running") {
    return `${kDoing[kind]}: ${count(acted)} so far, looked at ${count(looked)} of ` +
      `${count(size)}.${more}`;
  }
  if (state === "done") return `${kDone[kind]} ${count(acted)}.${more}`;
  const end = state === "stopped" ? "Stopped" : "Failed";
  const done = `${kDone[kind].toLowerCase()} ${count(acted)}`;
  return `${end}: ${done}, the others are as they were.${more}`;
}

function groupRows(groups) {
  return (groups || []).map((group) =>
    [text(group.code), text(group.type), text(group.plugin), count(group.count)]);
}

// The dialog's parts, without any act of their own.
function makeDialog(title) {
  const id = uniqueId("job");
  const bar = el("progress", { "aria-label": "Progress", max: "1" });
  const words = el("p", { class: "status", role: "status" });
  const groups = table("In these groups", ["Code", "Type", "Plugin", number("Count")]);
  groups.node.hidden = true;
  const says = notice();
  const buttons = el("div", { class: "buttons" });
  const node = el("dialog", { class: "job", "aria-labelledby": id },
    el("h2", { id }, visible(title)), words, bar, groups.node, actHint(), says.node, buttons);
  return { node, bar, words, groups, says, buttons };
}

function tellIn({ bar, words, groups }) {
  return (job) => {
    words.textContent = inWords(job);
    if (job.state !== "running") bar.value = 1;
    else if (job.size > 0) bar.value = Math.min(1, job.looked / job.size);
    else bar.removeAttribute("value");
    groups.fill(groupRows(job.groups));
    groups.node.hidden = !job.groups || job.groups.length === 0;
  };
}

// Shows a modal dialog and gives what ends when it is closed.
function open(parts, closed) {
  const leaving = new AbortController();
  parts.node.addEventListener("close", () => {
    leaving.abort();
    parts.node.remove();
    closed();
  });
  document.body.append(parts.node);
  parts.node.showModal();
  return leaving.signal;
}

function closeButton(parts) {
  return button("Close", () => parts.node.close());
}

async function run(parts, signal, job) {
  const stop = button("Stop", async () => {
    stop.disabled = true;
    try {
      await post(`jobs/${encodeURIComponent(job.id)}/stop`, {});
      parts.says.say("It stops once those in hand are done.");
    } catch (error) {
      stop.disabled = false;
      parts.says.fault(error);
    }
  });
  parts.buttons.replaceChildren(stop, closeButton(parts));
  try {
    const ended = await follow(job, tellIn(parts), signal);
    parts.says.clear();
    return ended;
  } catch (error) {
    parts.says.fault(error);
    return null;
  } finally {
    parts.buttons.replaceChildren(closeButton(parts));
    if (!signal.aborted) parts.buttons.lastChild.focus();
  }
}

// A job that somebody began already.
export async function openJob(job, closed = () => {}) {
  const parts = makeDialog(`${kVerb[job.kind]}${job.dryRun ? ", dry run" : ""} by ${job.who}`);
  await run(parts, open(parts, closed), job);
}

// The act is about what its dry run saw, and not what has died since. `what` is said in the title; `selection` is {names} or {filter} or {all}.
export async function openAct(kind, what, selection, closed = () => {}) {
  const parts = makeDialog(`${kVerb[kind]} ${what}`);
  const signal = open(parts, closed);
  const begin = (rest) => post(`dead/${kind}`, { ...selection, ...rest });
  parts.buttons.replaceChildren(closeButton(parts));
  parts.words.textContent = "Beginning a dry run…";
  const rehearsed = await attempt(async () => run(parts, signal, await begin({ dryRun: true })));
  if (!rehearsed || signal.aborted || rehearsed.state !== "done") return;
  if (rehearsed.acted === 0) return;
  const go = button(`${kVerb[kind]} ${count(rehearsed.acted)}`, async () => {
    go.disabled = true;
    parts.says.clear();
    const job = await attempt(() => begin({ dryRun: false, first: rehearsed.size }));
    if (job) await run(parts, signal, job);
    else go.disabled = false;
  }, { class: kind === "drop" ? "danger" : "main" });
  parts.buttons.prepend(go);
  go.focus();

  async function attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (parts.words.textContent.startsWith("Beginning")) parts.words.textContent = "";
      parts.says.fault(error);
      return null;
    }
  }
}
