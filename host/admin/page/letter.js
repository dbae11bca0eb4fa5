// One dead letter: its headers and body, a retry with another body, and what was done about it.
import { get, post, query as queryOf } from "./api.js";
import {
  act, actHint, badge, block, button, commandHref, el, facts, field, moments, notice, state, table,
  text, value, when,
} from "./dom.js";
import { openAct } from "./job.js";
import { isObject, write } from "./json.js";
import { bytes, count, editable, plural, unseen } from "./text.js";

function named(caption, members) {
  const shown = table(caption, ["Name", "Value"], "None.");
  const pairs = isObject(members) ? Object.entries(members) : [];
  shown.fill(pairs.map(([name, each]) =>
    [text(name), text(typeof each === "string" ? each : write(each), { max: 400 })]));
  return shown.node;
}

function commandLink(id) {
  return el("a", { href: commandHref(id) }, value(id, { whole: false }));
}

function letterFacts(letter) {
  return facts([
    ["Letter", value(letter.name, { mono: true })],
    letter.id && ["Command", commandLink(letter.id)],
    ["Type", value(letter.type)],
    ["Outcome", badge(letter.outcome)],
    ["Code", value(letter.code)],
    ["Reason", value(letter.reason, { max: 2000 })],
    ["Plugin", value(letter.plugin)],
    ["Died", when(letter.at)],
    ["Attempts", count(letter.attempts)],
    ["From queue", value(letter.queue)],
    ["Size", bytes(letter.bytes)],
    ["Hash of its body", value(letter.hash, { mono: true })],
  ]);
}

function unseenWords(body) {
  const found = body.match(unseen(true));
  return found && el("p", { class: "note" },
    `Shown as escapes: ${plural(found.length, "character")} that would not show, or would move ` +
    "others about.");
}

// Why this body cannot be edited here, or nothing.
function hindrance(letter) {
  if (typeof letter.body !== "string") return "The body is not shown: admin.show_bodies is false.";
  if (letter.binary) return "The body is no UTF-8, and cannot be edited here.";
  if (letter.truncated) {
    return "The body is cut here, and cannot be edited on this page: use iq dead retry --edit.";
  }
  return "";
}

// What was not changed stays as it came, to the byte.
function edited(area, body) {
  return area.value === editable(body) ? body : area.value;
}

function editorFor(letter) {
  const says = notice();
  const area = el("textarea", { rows: "10", spellcheck: "false", class: "mono" });
  area.value = editable(letter.body);
  const retry = button("Retry with this body", () => act(retry, says, async () => {
    const { queue, journalRowRemoved } = await post("dead/edit",
      { name: letter.name, hash: letter.hash, body: edited(area, letter.body) });
    const journal = journalRowRemoved ? ", and its rejection has left the journal" : "";
    says.good(`It is in ${queue} again${journal}.`);
  }), { class: "main" });
  return el("div", {}, field("Body", area, "It keeps its id, properties and headers."),
    el("div", { class: "buttons" }, retry), actHint(), says.node);
}

function bodyOf(letter) {
  const why = hindrance(letter);
  const shown = typeof letter.body === "string"
    ? [el("h4", {}, letter.truncated ? "Its text, cut after 256 KiB" : "Its text"),
      unseenWords(letter.body), block(letter.body, "Text as it came")]
    : [];
  return [...shown, why ? el("p", { class: "note" }, why) : editorFor(letter)];
}

function section(letter, i, all) {
  const title = all.length > 1 ? `Letter ${i + 1} of ${all.length} of this name` : "The letter";
  return el("section", {}, el("h3", {}, title), letterFacts(letter), ...bodyOf(letter),
    named("Headers", letter.headers), named("Properties", letter.properties));
}

function actRows(acts) {
  return acts.map((each) => [moments(each.at), text(each.who), text(each.action),
    state(each.state), text(each.result)]);
}

export function show(root, { about, signal }) {
  const says = notice();
  const content = el("div");
  let alike = 1; // How many letters have this name: an act is about all of them.
  const acts = table("Acts on this command", ["When", "Who", "Act", "State", "Result"], "None.");

  async function load() {
    const { letters } = await get(`dead/letter${queryOf({ name: about })}`, signal);
    alike = letters.length;
    content.replaceChildren(...letters.map(section));
    await loadActs(letters[0]);
  }

  async function loadActs(letter) {
    if (!letter || !letter.id) return;
    const answer = await get(`command${queryOf({ id: letter.id })}`, signal).catch(() => null);
    if (answer) acts.fill(actRows(answer.acts));
  }

  function begin(kind) {
    const what = alike === 1 ? "this letter" : `the ${alike} letters of this name`;
    openAct(kind, what, { names: [about], all: false }, () => {
      load().catch((error) => {
        content.replaceChildren();
        says.fault(error);
      });
    });
  }

  root.append(el("h2", { tabindex: "-1" }, "Dead letter"),
    el("div", { class: "buttons" }, el("a", { href: "#/dead" }, "All dead letters"),
      button("Retry", () => begin("retry")),
      button("Drop", () => begin("drop"), { class: "danger" })),
    actHint(), says.node, content, acts.node);
  load().catch(says.fault);
}
