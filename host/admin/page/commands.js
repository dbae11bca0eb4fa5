// The journal: a search through the commands, and the whole life of one of them.
import { get, query as queryOf } from "./api.js";
import {
  act, badge, block, button, commandHref, el, encode, facts, field, link, moments, notice, number,
  state, table, text, value, when,
} from "./dom.js";
import { write } from "./json.js";
import { count, moment, plural, time } from "./text.js";

const kLimit = 50;
const kFields = [
  ["id", "Id", "message id or UUID"],
  ["key", "User or lock key", "2, or user:2"],
  ["type", "Type", null],
  ["outcome", "Outcome", null],
  ["since", "Since", "2h, or 2026-01-31 12:00"],
  ["until", "Until", "as Since"],
];
const kOutcomes = ["", "done", "rejected"];

function nameOf(event) {
  return event.event || event.name || event.id;
}

function commandLinkCell(id) {
  return { key: `link ${id}`, make: () => link(commandHref(id), id) };
}

function rowOf(command) {
  return [
    commandLinkCell(command.id || command.uuid), state(command.outcome), text(command.type),
    text(command.code), text(command.reason), moments(command.committedAt),
    text((command.events || []).map(nameOf).join(", ")), count(command.attempts),
    text(command.plugin), text((command.keys || []).join(", "), { mono: true }),
    text(command.traceId, { mono: true }),
  ];
}

function makeControl(name) {
  if (name !== "outcome") {
    return el("input", { type: "text", name, autocomplete: "off", spellcheck: "false" });
  }
  return el("select", { name },
    ...kOutcomes.map((word) => el("option", { value: word }, word || "(any)")));
}

// Reads Since and Until, the fault shown beside them. Null says that one is no time.
export function readTimes(controls, says) {
  const times = {};
  for (const name of ["since", "until"]) {
    times[name] = moment(controls[name].value);
    controls[name].setAttribute("aria-invalid", String(times[name] === null));
    if (times[name] === null) {
      const label = name === "since" ? "Since" : "Until";
      says.fault(new Error(
        `${label} is no time: write 30m, 2h, 1d, 2026-01-31 or 2026-01-31 12:00.`));
      controls[name].focus();
      return null;
    }
  }
  return times;
}

// What is typed into controls, by their names.
export function typedIn(controls) {
  return Object.fromEntries(
    Object.entries(controls).map(([name, control]) => [name, control.value.trim()]));
}

export function show(root, { query, signal }) {
  const controls = Object.fromEntries(kFields.map(([name]) => [name, makeControl(name)]));
  const says = notice();
  const found = table("Commands", ["Id", "Outcome", "Type", "Code", "Reason", "Committed", "Events",
    number("Attempts"), "Plugin", "Lock keys", "Trace id"], "No command is known like that.");
  const status = el("p", { class: "status", role: "status" });
  const further = button("Further back", () => act(further, says, () => load(next)));
  further.hidden = true;
  let next = null;
  let commands = [];

  async function load(before) {
    const times = readTimes(controls, says);
    if (!times) return;
    if (!before) status.textContent = "Searching…";
    const wanted = { ...typedIn(controls), ...times, before, limit: kLimit };
    const answer = await get(`commands${queryOf(wanted)}`, signal);
    commands = before ? [...commands, ...answer.commands] : answer.commands;
    next = answer.next;
    found.fill(commands.map(rowOf));
    further.hidden = next === null;
    const end = answer.searchedTo ? `, searched back to ${time(answer.searchedTo)}` : "";
    const soFar = next === null ? "" : " so far";
    status.textContent = `${plural(commands.length, "command")}${soFar}${end}.`;
  }

  // A search is a place that the browser's "back" comes back to.
  function search(event) {
    event.preventDefault();
    if (!readTimes(controls, says)) return;
    history.replaceState(null, "", `#/commands${queryOf(typedIn(controls))}`);
    act(submit, says, () => load(null));
  }

  const submit = el("button", { type: "submit", class: "main" }, "Search");
  for (const [name] of kFields) controls[name].value = query.get(name) || "";
  const form = el("form", { class: "search", role: "search", onsubmit: search },
    ...kFields.map(([name, label, hint]) => field(label, controls[name], hint)),
    el("div", { class: "buttons" }, submit));
  root.append(el("h2", { tabindex: "-1" }, "Commands"), form, says.node, status, found.node,
    further);
  load(null).catch((error) => {
    status.textContent = "";
    says.fault(error);
  });
}

function keyLinks(keys) {
  if (!keys || keys.length === 0) return ["none"];
  return keys.flatMap((key, i) => [i > 0 ? ", " : "", link(`#/commands${queryOf({ key })}`, key)]);
}

function commandFacts(command) {
  return facts([
    ["Id", value(command.id, { mono: true })],
    ["UUID", value(command.uuid, { mono: true })],
    ["Type", link(`#/commands${queryOf({ type: command.type })}`, command.type)],
    ["Outcome", badge(command.outcome)],
    command.code && ["Code", value(command.code)],
    command.reason && ["Reason", value(command.reason, { max: 1000 })],
    ["Plugin", value(command.plugin)],
    ["Attempts", count(command.attempts)],
    ["Committed", when(command.committedAt)],
    ["Came again", ...(command.repeats > 0
      ? [plural(command.repeats, "time"), ", at last ", when(command.repeatedAt)] : ["never"])],
    ["Lock keys", ...keyLinks(command.keys)],
    ["Correlation id", value(command.correlationId, { mono: true })],
    ["Trace id", value(command.traceId, { mono: true })],
  ]);
}

function because({ code, reason }) {
  return [code && ": ", code && value(code), reason && ", ", reason && value(reason, { max: 400 })];
}

function happened(at, what, ...more) {
  return { at, cells: [moments(at), what, el("span", {}, ...more.flat())] };
}

// Everything that is known of it, the oldest first.
function life({ command, letters, acts }) {
  const all = [
    ...letters.map((letter) => happened(letter.at, "dead letter", value(letter.outcome),
      ...because(letter), " (attempt ", count(letter.attempts), ", from ", value(letter.queue),
      ") ",
      el("a", { href: `#/dead/${encode(letter.name)}` }, "Show the letter"))),
    ...acts.map((each) => happened(each.at, "act", value(each.who), " did ", value(each.action),
      ": ", badge(each.state), " ", value(each.result))),
  ];
  if (command) {
    all.push(happened(command.committedAt, "outcome", badge(command.outcome), ...because(command),
      " by ", value(command.plugin)));
    if (command.repeats > 0) {
      all.push(happened(command.repeatedAt, "repeat", "came again, ",
        plural(command.repeats, "time"), " by then: answered as before, nothing was done anew"));
    }
    for (const event of command.events || []) {
      all.push(happened(event.occurredAt || command.committedAt, "event", value(nameOf(event))));
    }
  }
  const order = (each) => Date.parse(each.at) || 0;
  return all.sort((a, b) => order(a) - order(b)).map(({ cells }) => cells);
}

function eventsOf(command) {
  const events = (command && command.events) || [];
  if (events.length === 0) return el("p", { class: "empty" }, "It emitted no events.");
  return el("div", {}, ...events.map((event) => el("details", { class: "schema" },
    el("summary", {}, el("b", {}, value(nameOf(event), { whole: false })), " ",
      value(event.id, { mono: true, whole: false })),
    block(write(event, 2), "The event"))));
}

export function showOne(root, { about, signal }) {
  const says = notice();
  const content = el("div");
  const again = button("Look again", () => act(again, says, load));

  async function load() {
    const answer = await get(`command${queryOf({ id: about })}`, signal);
    const { command } = answer;
    const story = table("Life", ["When", "What", "In words"]);
    story.fill(life(answer));
    content.replaceChildren(
      command ? commandFacts(command) : el("p", {}, "The journal does not know it (yet)."),
      story.node, el("h3", {}, "Events"), eventsOf(command));
  }

  root.append(el("h2", { tabindex: "-1" }, "Command ", value(about, { whole: false })),
    el("p", { class: "buttons" }, el("a", { href: "#/commands" }, "All commands"), again),
    says.node, content);
  load().catch(says.fault);
}
