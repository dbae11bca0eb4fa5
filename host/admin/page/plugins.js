// What is served, by which generation of which plugin, and what was refused and why.
import { get } from "./api.js";
import {
  badge, commandHref, el, encode, facts, link, moments, notice, plain, table, text, value,
} from "./dom.js";
import { write } from "./json.js";
import { schemaForReading } from "./schema.js";
import { count, plural } from "./text.js";

const kAgainMs = 3000;
const kIdBytes = 56;

function list(items, make = (item) => value(item)) {
  if (!items || items.length === 0) return "none";
  return el("ul", { class: "words" }, ...items.map((item) => el("li", {}, make(item))));
}

function titleOf(plugin) {
  return plugin.plugin ? `${plugin.plugin} ${plugin.version}` : plugin.file;
}

function eventsOf(plugin, events) {
  const own = `${plugin.plugin}/${plugin.version}`;
  return events.filter((event) => event.plugin === own || event.plugin === plugin.plugin)
    .map((event) => event.name);
}

function reasonOf({ state, reason }) {
  if (!reason) return null;
  const lead = state === "refused" ? "Refused: " : state === "serves" ? "What was to follow: " : "";
  return el("p", { class: "reason" }, lead, value(reason, { max: 600 }));
}

// In the hands of this version of the plugin and of no other, as far back as is remembered.
function crashesOf(plugin, crashes) {
  const own = `${plugin.plugin}/${plugin.version}`;
  const number = crashes.filter(({ calls }) => calls.every((call) => call.plugin === own)).length;
  return number > 0 ? el("b", { class: "bad" }, plural(number, "crash", "crashes")) : "none";
}

function countsOf(plugin) {
  return `${count(plugin.done)} done, ${count(plugin.rejected)} rejected, ` +
    `${count(plugin.failed)} failed, ${count(plugin.retried)} put off`;
}

function card(plugin, events, crashes, counts) {
  return el("article", { class: "card", "aria-label": plain(titleOf(plugin)) },
    el("h3", {}, value(titleOf(plugin), { whole: false }), " ", badge(plugin.state)),
    reasonOf(plugin),
    facts([
      ["Version", value(plugin.version)],
      ["Generation", value(plugin.generation)],
      ["Types", list(plugin.types)],
      plugin.listeners.length > 0 && ["Listeners", list(plugin.listeners)],
      ["Events", list(eventsOf(plugin, events))],
      ["Commands", counts],
      ["Crashes", crashesOf(plugin, crashes)],
      ["Processes", count(plugin.processes)],
      ["File", value(plugin.file)],
      ["SHA-256", value(plugin.sha256, { mono: true })],
    ]));
}

// The cards stay as they are while only their counts change.
function cards() {
  const node = el("div", { class: "cards" });
  let before = "";
  let counts = [];
  return {
    node,
    fill: (plugins, events, crashes) => {
      const fixed = plugins.map(
        (plugin) => ({ ...plugin, done: 0, rejected: 0, failed: 0, retried: 0 }));
      const now = write([fixed, events.map(({ name, plugin }) => [name, plugin]), crashes]);
      if (now !== before) {
        before = now;
        counts = plugins.map(() => el("span", {}));
        node.replaceChildren(...plugins.map((plugin, i) => card(plugin, events, crashes,
          counts[i])));
      }
      plugins.forEach((plugin, i) => {
        if (counts[i].textContent !== countsOf(plugin)) counts[i].textContent = countsOf(plugin);
      });
    },
  };
}

// What the examples of a schema would lock tells which keys a type has.
function lockKeys(examples) {
  if (examples.length === 0) {
    return el("p", {}, "Lock keys: its schema has no example to tell them.");
  }
  return el("div", {}, el("p", {}, "Lock keys, by example:"),
    el("ul", { class: "words" }, ...examples.map(({ body, locks, reason }) => el("li", {},
      reason ? value(reason, { max: 400 }) : list(locks, (key) => value(key, { mono: true })),
      " for ", value(write(body), { mono: true, max: 400 })))));
}

// A long id is cut in what is remembered of a crash, and would find nothing.
function commandOf(id) {
  const whole = new TextEncoder().encode(id).length < kIdBytes;
  return whole ? link(commandHref(id), id) : value(id);
}

function crashRow({ at, pid, calls }) {
  const ids = calls.flatMap((call) => call.ids.filter((id) => id !== ""));
  const links = { key: `ids ${write(ids)}`, make: () => el("span", {}, ...ids.flatMap(
    (id, i) => [i > 0 ? ", " : "", commandOf(id)])) };
  return [moments(at), String(pid), text(calls.map((call) => call.plugin).join(", ")),
    text(calls.map(({ call, commands }) => `${call} of ${plural(commands, "command")}`).join(", ")),
    ids.length > 0 ? links : "–"];
}

function typeDetails({ type, plugin, schema, examples }) {
  return el("details", { class: "schema" },
    el("summary", {}, el("b", {}, value(type, { whole: false })), " by ",
      value(plugin, { whole: false })),
    schemaForReading(schema, "Fields of the command"),
    lockKeys(examples),
    el("p", {}, el("a", { href: `#/send/${encode(type)}` }, "Send one")));
}

function eventDetails({ name, plugin, schema }) {
  return el("details", { class: "schema" },
    el("summary", {}, el("b", {}, value(name, { whole: false })), " by ",
      value(plugin, { whole: false })),
    schemaForReading(schema, "Fields of the event's data"));
}

function schemas(empty, make) {
  const node = el("div");
  let before = "";
  return {
    node,
    fill: (entries) => {
      const now = write(entries);
      if (now === before) return;
      before = now;
      const none = el("p", { class: "empty" }, empty);
      node.replaceChildren(...(entries.length > 0 ? entries.map(make) : [none]));
    },
  };
}

function faultList() {
  const node = el("ul", { class: "fault", "aria-label": "Faults" });
  let before = null;
  return {
    node,
    fill: (faults) => {
      const now = write(faults);
      if (now === before) return;
      before = now;
      node.replaceChildren(...faults.map((fault) => el("li", {}, value(fault, { max: 600 }))));
      node.hidden = faults.length === 0;
    },
  };
}

export function show(root, { signal }) {
  const [all, faults] = [cards(), faultList()];
  const types = schemas("No type is served.", typeDetails);
  const events = schemas("No plugin says which events it emits.", eventDetails);
  const crashes = table("Crashes", ["Found", "Process", "In the hands of", "Call", "Commands"],
    "No process died in a plugin's hands, as far as is remembered.");
  const says = notice();
  let timer = 0;

  async function load() {
    clearTimeout(timer);
    try {
      const answer = await get("plugins", signal);
      all.fill(answer.plugins, answer.events, answer.crashes);
      crashes.fill(answer.crashes.map(crashRow));
      types.fill(answer.types);
      events.fill(answer.events);
      faults.fill(answer.faults);
      says.clear();
      summary.textContent = `${plural(answer.plugins.length, "file")}, ` +
        `${plural(answer.types.length, "type")}.`;
    } catch (error) {
      says.fault(error);
    }
    if (!signal.aborted && !document.hidden) timer = setTimeout(load, kAgainMs);
  }

  const summary = el("p", { class: "status" }, "Asking…");
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) load();
  }, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  root.append(el("h2", { tabindex: "-1" }, "Plugins"), summary, says.node, faults.node, all.node,
    el("h3", {}, "Types and their schema"), types.node,
    el("h3", {}, "Events and their schema"), events.node,
    el("h3", {}, "Crashes"), crashes.node);
  load();
}
