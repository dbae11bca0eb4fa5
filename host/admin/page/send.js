// Sends a command: a form and the JSON itself, which edit the same body; what iq would make of it;
// the outcomes as they come.
import { answers, get, post } from "./api.js";
import {
  act, actHint, button, commandHref, el, facts, field, notice, plain, value,
} from "./dom.js";
import { makeForm } from "./form.js";
import { isObject, parse, write } from "./json.js";
import { startingBody } from "./schema.js";
import { clip, editable, plural, uuid, visible } from "./text.js";
import { validate } from "./validate.js";

const kWaitSeconds = 30;
const kOutcomesMax = 500;
const kOther = "other";

// What is typed and what came outlive a look at another view.
const draft = { type: null, text: "" };
const outcomes = el("div", {
  class: "outcomes", role: "log", "aria-label": "Outcomes", tabindex: "0",
});

function line(words, tone) {
  const item = el("p", { class: tone });
  words.forEach((word, i) => item.append(i > 0 ? " " : "", word));
  outcomes.append(item);
  while (outcomes.children.length > kOutcomesMax) outcomes.firstChild.remove();
  outcomes.scrollTop = outcomes.scrollHeight;
}

function commandLink(id) {
  return el("a", { href: commandHref(id), class: "mono" }, plain(id, 80));
}

function showOutcome({ id, type, outcome, code, reason }) {
  const words = [commandLink(id), value(type, { max: 80 }), value(outcome)];
  if (code) words.push(value(code));
  if (reason) words.push(value(reason));
  line(words, outcome === "done" ? "good" : "bad");
}

// Publishes one command and follows it to its outcome.
async function send(body, id, says, onSent = () => {}) {
  const type = typeIn(body);
  for await (const { sent, outcome, waiting, error } of
    answers("send", { body, id, waitSeconds: kWaitSeconds })) {
    if (error) throw new Error(error);
    if (sent) onSent();
    if (sent) says.say(`Sent as ${sent.id} to ${sent.queue}; its outcome is awaited.`);
    if (outcome) showOutcome(outcome);
    if (outcome) says.good(`${outcome.id}: ${outcome.outcome}.`);
    if (waiting) {
      line([commandLink(id), type && value(type, { max: 80 }), "waiting", value(waiting)], "info");
      says.say(waiting);
    }
  }
}

function typeIn(body) {
  try {
    const parsed = parse(body);
    return isObject(parsed) && typeof parsed.type === "string" ? parsed.type : "";
  } catch {
    return "";
  }
}

// The six messages of the first consumer's test, their hold under a fresh uuid.
function sixMessages() {
  const hold = uuid();
  const lock = (event) => ({ type: "lock", userId: 2, sum: 2, details: { event, uuid: hold } });
  return [
    { type: "income", userId: 2, sum: 1, details: {} },
    { type: "withdraw", userId: 2, sum: 2, details: {} },
    { type: "transfer", userId: 2, sum: 5, details: { userFromId: 3 } },
    lock("lock"), lock("unlock"), lock("withdraw"),
  ];
}

function explanationInWords(said) {
  if (said.verdict !== "ok") return "iq would refuse it";
  return `${said.plugin}/${said.version} would carry it out`;
}

function showExplanation(place, said) {
  const refused = said.verdict !== "ok";
  const locks = said.locks || [];
  place.className = `explanation ${refused ? "bad" : "good"}`;
  place.replaceChildren(
    el("p", {}, el("b", {}, value(explanationInWords(said))), refused ? ": " : ".",
      refused && value(said.code), refused && " ", refused && value(said.reason, { max: 1000 })),
    facts([
      ["Type", value(said.type)],
      said.plugin && ["Plugin", value(`${said.plugin}/${said.version}`)],
      ["Message id", value(said.id, { mono: true })],
      ["In the journal as", value(said.journal, { mono: true })],
      ["Locks", locks.length > 0 ? value(locks.join(", "), { mono: true }) : "none"],
    ]));
}

// "details.uuid: too short" belongs at that field.
function faultOf(said) {
  const match = said.code === "schema" && /^([^\s:]+): (.*)$/s.exec(said.reason || "");
  if (!match) return [];
  const missing = /^Missing required property '([^']+)'/.exec(match[2]);
  const path = missing ? `${match[1]}.${missing[1]}` : match[1];
  return [{ path, message: `iq says: ${visible(clip(match[2], 300))}` }];
}

// The body and its two editors.
class Editor {
  constructor() {
    this.types = [];
    this.body = Object.create(null);
    this.touched = false;
    this.said = [];
    this.form = null;
    this.select = el("select", { onchange: () => this.chosen() });
    this.json = el("textarea", {
      rows: "14", spellcheck: "false", class: "mono", oninput: () => this.typed(),
    });
    this.jsonFault = el("p", { class: "fault" });
    this.others = el("ul", { class: "fault" });
    this.fields = el("fieldset", { class: "bare" }, el("legend", { class: "unseen" }, "Fields"));
    this.edited = () => {};
  }

  // The types that are served, as /api/plugins tells them.
  offer(types, wanted) {
    this.types = types;
    this.select.replaceChildren(
      ...types.map(({ type }, i) => el("option", { value: String(i) }, plain(type, 80))),
      el("option", { value: kOther }, "(another type)"));
    const index = types.findIndex(({ type }) => type === wanted);
    if (draft.text && (!wanted || wanted === draft.type)) this.load(draft.text);
    else this.choose(index >= 0 ? index : 0);
  }

  load(body) {
    this.json.value = body;
    this.typed();
  }

  schema() {
    const entry = this.types[Number(this.select.value)];
    return entry && isObject(entry.schema) ? entry.schema : null;
  }

  choose(index) {
    const entry = this.types[index];
    this.select.value = entry ? String(index) : kOther;
    this.touched = false;
    this.said = [];
    this.readable("");
    this.body = startingBody(entry ? entry.type : "", this.schema());
    this.rebuild();
    this.writeJson();
    this.check();
  }

  chosen() {
    this.choose(this.select.value === kOther ? this.types.length : Number(this.select.value));
  }

  rebuild() {
    const schema = this.schema();
    this.form = schema && makeForm(schema, () => this.body, () => this.fieldChanged());
    const none = el("p", { class: "empty" }, "No schema to make a form of: write the JSON.");
    this.fields.replaceChildren(this.fields.firstChild, this.form ? this.form.node : none);
    if (this.form) this.form.sync();
  }

  writeJson() {
    this.json.value = editable(write(this.body, 2));
    this.remember();
  }

  remember() {
    draft.text = this.json.value;
    const entry = this.types[Number(this.select.value)];
    draft.type = entry ? entry.type : null;
    this.edited();
  }

  fieldChanged() {
    this.touched = true;
    this.said = [];
    this.writeJson();
    this.check();
  }

  typed() {
    this.touched = true;
    this.said = [];
    try {
      const body = parse(this.json.value);
      if (!isObject(body)) throw new SyntaxError("a command is a JSON object");
      this.body = body;
      this.readable("");
      this.followType();
      if (this.form) this.form.sync();
    } catch (error) {
      this.readable(`Not a command: ${error.message}. The form waits until it is one.`);
    }
    this.remember();
    this.check();
  }

  // Whether the JSON can be read as a command, and why not.
  readable(fault) {
    this.jsonFault.textContent = fault;
    this.fields.disabled = fault !== "";
    this.json.setAttribute("aria-invalid", String(this.fields.disabled));
  }

  // The JSON may name another type than the one that was chosen.
  followType() {
    const index = this.types.findIndex(({ type }) => type === this.body.type);
    const wanted = index >= 0 ? String(index) : kOther;
    if (this.select.value === wanted && (this.form || !this.schema())) return;
    this.select.value = wanted;
    this.rebuild();
  }

  check() {
    if (this.fields.disabled) return;
    const schema = this.schema();
    const faults = this.touched && schema ? validate(this.body, schema) : [];
    const all = [...faults, ...this.said];
    const homeless = this.form ? this.form.tell(all) : all;
    this.others.replaceChildren(...homeless.map(({ path, message }) =>
      el("li", {}, value(path || "The body", { whole: false }), " ", message)));
  }

  explained(said) {
    this.touched = true;
    this.said = faultOf(said);
    this.check();
  }

  nodes() {
    this.json.setAttribute("aria-describedby", "json-fault");
    this.jsonFault.id = "json-fault";
    return el("div", { class: "editor" },
      el("div", {}, field("Type", this.select), this.fields),
      el("div", {}, field("JSON", this.json), this.jsonFault, this.others));
  }
}

// The message id: typed, or made anew for each command.
function idField() {
  const input = el("input", {
    type: "text", autocomplete: "off", spellcheck: "false", class: "mono",
  });
  let made = "";
  let used = true;
  return {
    input,
    typed: () => (input.value === made ? "" : input.value),
    // One that was made stays until a command has been sent with it: one that failed on its way may
    // have arrived, and must not arrive under two.
    forNext: () => {
      if (input.value === "" || (input.value === made && used)) {
        made = uuid();
        input.value = made;
      }
      used = false;
      return input.value;
    },
    wasUsed: () => { used = true; },
  };
}

export async function show(root, { about, signal }) {
  const editor = new Editor();
  const id = idField();
  const says = notice();
  const explanation = el("section", { "aria-label": "What iq says", role: "status" });
  let explained = "";
  editor.edited = () => {
    if (explained === editor.json.value) return;
    explanation.className = "";
    explanation.replaceChildren();
  };

  async function explain(messageId, body = editor.json.value) {
    const said = await post("explain", { body, id: messageId }, signal);
    explained = body;
    editor.explained(said);
    showExplanation(explanation, said);
  }

  async function sendOne(messageId) {
    const body = editor.json.value; // What stood there at the click.
    await explain(messageId, body).catch((error) => says.fault(error));
    await send(body, messageId, says, id.wasUsed);
  }

  async function sendSix() {
    for (const message of sixMessages()) await send(JSON.stringify(message), uuid(), says);
    says.good("All six have been sent; their outcomes are below.");
  }

  async function seed() {
    const { opened } = await post("seed", {});
    says.good(`Opened ${plural(opened, "account")}.`);
  }

  const acting = (text, work, attributes) => {
    const control = button(text, () => act(control, says, work), attributes);
    return control;
  };
  const status = el("p", { class: "status", role: "status" }, "Asking which types are served…");
  root.append(el("h2", { tabindex: "-1" }, "Send"), status, editor.nodes(),
    field("Message id", id.input, "Where you type none, each command gets a new one."),
    el("div", { class: "buttons" },
      acting("Explain", () => explain(id.typed())),
      acting("Send", () => sendOne(id.forNext()), { class: "main" }),
      acting("Repeat this id", () => sendOne(id.input.value || id.forNext())),
    ),
    actHint(), says.node, explanation,
    el("h3", {}, "Outcomes"), outcomes,
    el("h3", {}, "For a try"),
    el("p", {}, "The seed data opens the accounts of the users 1 to 199. The six test messages ",
      "are income, withdraw, transfer, and a hold that is locked, unlocked and then withdrawn: ",
      "by then there is no such hold, so the host rejects the last one as ",
      el("code", {}, "unknown_hold"), "."),
    el("div", { class: "buttons" }, acting("Seed balances", seed),
      acting("Send the six test messages", sendSix)));

  try {
    const { types } = await get("plugins", signal);
    editor.offer(types, about);
    status.textContent = types.length > 0 ? "" : "No plugin serves any type.";
  } catch (error) {
    if (error.name === "AbortError") return;
    status.textContent = error.message;
    editor.offer([], "");
  }
}
