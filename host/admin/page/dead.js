// Dead letters: in groups and one by one, what can be done about many at once, and what was done.
import { get, query as queryOf } from "./api.js";
import {
  act, actHint, button, el, encode, field, link, moments, notice, number, state, table, text,
} from "./dom.js";
import { openAct } from "./job.js";
import { readTimes, typedIn } from "./commands.js";
import { write } from "./json.js";
import { bytes, count, plural } from "./text.js";

const kFew = 100;
const kMany = 1000;
const kFields = [
  ["code", "Code", null],
  ["type", "Type", null],
  ["since", "Since", "2h, or 2026-01-31 12:00"],
  ["until", "Until", "as Since"],
];

function letterHref(name) {
  return `#/dead/${encode(name)}`;
}

function letterRow(letter) {
  return [
    { key: `letter ${letter.name}`, make: () => link(letterHref(letter.name), letter.name) },
    text(letter.code), text(letter.type), state(letter.outcome), text(letter.reason),
    moments(letter.at), count(letter.attempts), text(letter.plugin), text(letter.queue),
    bytes(letter.bytes),
  ];
}

function letterTable(caption, empty) {
  return table(caption, ["Letter", "Code", "Type", "Outcome", "Reason", "Died", number("Attempts"),
    "Plugin", "Queue", number("Size")], empty);
}

function inGroup(group) {
  return (letter) => letter.code === group.code && letter.type === group.type &&
    letter.plugin === group.plugin;
}

function nameOf({ code, type, plugin }) {
  return `${code || "(no code)"}, ${type || "(no type)"}, ${plugin || "(no plugin)"}`;
}

// What was done from the page, the newest first.
function auditTable(signal, says) {
  const shown = table("Acts", ["When", "Who", "Act", "About", "State", "Result", "Detail"],
    "Nothing was done yet.");
  const older = button("Older acts", () => act(older, says, () => load(next)), { hidden: true });
  let acts = [];
  let next = null;

  async function load(before) {
    const answer = await get(`audit${queryOf({ before, limit: 50 })}`, signal);
    acts = before ? [...acts, ...answer.acts] : answer.acts;
    next = answer.next;
    older.hidden = next === null;
    shown.fill(acts.map((each) => [moments(each.at), text(each.who), text(each.action),
      text(each.about), state(each.state), text(each.result), text(write(each.detail ?? null))]));
  }

  return { node: el("div", {}, shown.node, older), load: () => load(null) };
}

export function show(root, { query, signal }) {
  const says = notice();
  const controls = Object.fromEntries(kFields.map(([name]) =>
    [name, el("input", { type: "text", name, autocomplete: "off", spellcheck: "false" })]));
  const status = el("p", { class: "status", role: "status" });
  const groups = table("Groups",
    ["Code", "Type", "Plugin", number("Count"), "First", "Last", "Acts"], "No dead letters.");
  const letters = letterTable("Letters", "No dead letters.");
  const shownWords = el("p", { class: "note" });
  const more = button(`Show up to ${count(kMany)}`, () => act(more, says, () => showLetters(kMany)),
    { hidden: true });
  const audit = auditTable(signal, says);
  let group = null;

  function filter() {
    const times = readTimes(controls, says);
    return times && { ...typedIn(controls), ...times };
  }

  function asSelection(only) {
    const chosen = filter();
    if (!chosen) return null;
    const listOf = (typed) => (typed === "" ? [] : [typed]);
    const wanted = {
      codes: only ? [only.code] : listOf(chosen.code),
      types: only ? [only.type] : listOf(chosen.type),
      plugins: only ? [only.plugin] : [],
      since: chosen.since, until: chosen.until,
    };
    const empty = Object.values(wanted).every((each) => each.length === 0);
    return empty ? { names: [], all: true } : { names: [], all: false, filter: wanted };
  }

  function begin(kind, only) {
    const selection = asSelection(only);
    if (!selection) return;
    const all = selection.all ? "all dead letters" : "what the filter lets through";
    openAct(kind, only ? nameOf(only) : all, selection, () => load().catch(says.fault));
  }

  function groupRow(each) {
    const acts = () => {
      const show = button("Show", () => act(show, says, () => showGroup(each)));
      return el("span", { class: "buttons" }, show, button("Retry", () => begin("retry", each)),
        button("Drop", () => begin("drop", each), { class: "danger" }));
    };
    return [text(each.code), text(each.type), text(each.plugin), count(each.count),
      moments(each.first), moments(each.last), { key: `acts ${write(each)}`, make: acts }];
  }

  async function showGroup(each) {
    group = each;
    await showLetters(kFew);
    letters.node.querySelector(".scroll").focus();
  }

  async function showLetters(limit) {
    const wanted = filter();
    if (!wanted) return;
    const narrow = group
      ? { ...wanted, code: group.code, type: group.type, plugin: group.plugin } : wanted;
    fillLetters(await get(`dead${queryOf({ ...narrow, limit })}`, signal), limit);
  }

  function fillLetters(answer, limit) {
    const shown = group ? answer.letters.filter(inGroup(group)) : answer.letters;
    letters.fill(shown.map(letterRow));
    const of = group ? `Of the group ${nameOf(group)}` : "Of all that pass the filter";
    shownWords.replaceChildren(text(`${of}: ${plural(shown.length, "letter")} shown, ` +
      `${count(answer.passing)} of ${count(answer.size)} pass.`).make());
    more.hidden = limit === kMany || answer.letters.length < limit;
  }

  // One look at the queue for both.
  async function showAll() {
    const wanted = filter();
    if (!wanted) return;
    const answer = await get(`dead${queryOf({ ...wanted, limit: kFew })}`, signal);
    fillGroups(answer);
    fillLetters(answer, kFew);
  }

  function fillGroups(answer) {
    groups.fill(answer.groups.map(groupRow));
    status.textContent = `${plural(answer.size, "dead letter")} in the queue, ` +
      `${count(answer.passing)} of them in ${plural(answer.groups.length, "group")}.`;
  }

  async function load() {
    group = null;
    status.textContent = "Looking through the queue…";
    try {
      await Promise.all([showAll(), audit.load()]);
    } catch (error) {
      if (status.textContent.startsWith("Looking")) status.textContent = "";
      throw error;
    }
  }

  function apply(event) {
    event.preventDefault();
    if (!filter()) return;
    history.replaceState(null, "", `#/dead${queryOf(typedIn(controls))}`);
    act(submit, says, load);
  }

  const submit = el("button", { type: "submit", class: "main" }, "Filter");
  for (const [name] of kFields) controls[name].value = query.get(name) || "";
  const form = el("form", { class: "search", role: "search", onsubmit: apply },
    ...kFields.map(([name, label, hint]) => field(label, controls[name], hint)),
    el("div", { class: "buttons" }, submit,
      button("Retry all", () => begin("retry", null)),
      button("Drop all", () => begin("drop", null), { class: "danger" })));
  root.append(el("h2", { tabindex: "-1" }, "Dead letters"), form,
    el("p", { class: "note" }, "A retry or a drop begins with a dry run, which changes nothing. ",
      "“All” is what the filter lets through."),
    actHint(), says.node, status, groups.node, letters.node, shownWords, more, audit.node);
  load().catch(says.fault);
}
