// Builds elements, and shows values that others chose as text and nothing else.
import { write } from "./json.js";
import { clip, count, time, unseen, visible } from "./text.js";

const kClip = 160;
const kBlockClip = 16384;
const kMarkedMax = 4000;
let ids = 0;

export function uniqueId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

function setAttribute(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
}

function append(node, child) {
  if (child === undefined || child === null || child === false) return;
  if (Array.isArray(child)) child.forEach((each) => append(node, each));
  else node.append(child);
}

// `attributes` named on… are listeners. Children are nodes, texts or lists of them.
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) setAttribute(node, name, value);
  append(node, children);
  return node;
}

export function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) setAttribute(node, name, value);
  append(node, children);
  return node;
}

// Escapes are set apart, so that a backslash that was there cannot pass for one.
function marked(text, lines) {
  if (text.length > kMarkedMax) return [visible(text, lines)];
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(unseen(lines))) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push(el("span", { class: "escape" }, visible(match[0], lines)));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function asText(value) {
  return typeof value === "string" ? value : write(value);
}

// A value from outside: isolated, its unseen characters escaped, clipped with the whole on demand.
export function value(raw, { max = kClip, mono = false, whole = true } = {}) {
  if (raw === undefined || raw === null || raw === "") return "–";
  const text = asText(raw);
  const node = el("bdi", { class: mono ? "mono" : null });
  const short = clip(text, max);
  node.append(...marked(short, false));
  if (short.length < text.length && !whole) node.append("…");
  if (short.length < text.length && whole) node.append("… ", moreButton(text, showAll));
  return node;

  function showAll() {
    const all = block(text, "The whole value", Infinity);
    node.replaceChildren(all);
    all.focus();
  }
}

// A text of many lines, clipped too, unless the whole of it was asked for.
export function block(text, name, max = kBlockClip) {
  const attributes = { class: "block", tabindex: "0", role: "group", "aria-label": name };
  const short = clip(text, max);
  const node = el("pre", { ...attributes, dir: "auto" }, ...marked(short, true));
  if (short.length < text.length) {
    node.append("… ", moreButton(text, showAll));
  }
  return node;

  function showAll() {
    node.replaceChildren(...marked(text, true));
    node.focus();
  }
}

function moreButton(text, onclick) {
  const label = `Show all ${count(text.length)} characters`;
  return el("button", { type: "button", class: "more", onclick }, label);
}

// As text(), for where only a string will do.
export function plain(raw, max = kClip) {
  const text = asText(raw === undefined || raw === null ? "" : raw);
  const short = clip(text, max);
  return visible(short) + (short.length < text.length ? "…" : "");
}

export function when(text) {
  if (!text) return "–";
  return el("time", { datetime: plain(text), title: plain(text) }, visible(time(text)));
}

const kTones = {
  done: "good", ok: "good", serves: "good", serving: "good", reachable: "good",
  rejected: "warn", invalid: "warn", retry: "info", waits: "info", "would serve": "info",
  running: "info", begun: "info", stopped: "warn", sent: "info", waiting: "warn",
  failed: "bad", refused: "bad", away: "bad", "does not answer": "bad",
};

export function badge(word) {
  if (!word) return "–";
  const tone = Object.hasOwn(kTones, word) ? kTones[word] : "plain";
  return el("span", { class: `badge ${tone}` }, value(word));
}

export function link(href, text) {
  return el("a", { href }, value(text, { max: 60, whole: false }));
}

// A part of a location's hash. A lone half of a surrogate pair has no place there.
export function encode(text) {
  return encodeURIComponent(String(text).replace(/\p{Cs}/gu, "\ufffd"));
}

export function commandHref(id) {
  return `#/commands/${encode(id)}`;
}

export function facts(pairs) {
  const rows = pairs.filter(Boolean).map(([name, ...content]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, ...content)));
  return el("dl", { class: "facts" }, ...rows);
}

export function field(label, control, hint) {
  const id = uniqueId("field");
  control.id = id;
  const note = hint && el("span", { class: "hint", id: `${id}-hint` }, hint);
  if (note) control.setAttribute("aria-describedby", note.id);
  return el("div", { class: "field" }, el("label", { for: id }, label), control, note);
}

export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

// A sentence for what went wrong or what came of an act, announced when it changes.
export function notice() {
  const node = el("p", { class: "notice", role: "status" });
  const show = (tone, text) => {
    node.className = `notice ${tone}`;
    node.replaceChildren(...(text ? [value(text, { max: 2000 })] : []));
  };
  return {
    node,
    clear: () => show("", ""),
    say: (text) => show("", text),
    good: (text) => show("good", text),
    fault: (error) => {
      if (error.name !== "AbortError") show("fault", error.message || String(error));
    },
  };
}

export function actHint() {
  return el("p", { class: "act-hint" }, "To act, sign in with a token that may write.");
}

function cellContent(cell) {
  if (cell === undefined || cell === null || cell === "") return "–";
  return typeof cell === "object" && "key" in cell ? cell.make() : cell;
}

function cellKey(cell) {
  if (typeof cell === "object" && cell !== null && "key" in cell) return cell.key;
  return typeof cell === "object" && cell !== null ? null : String(cell);
}

function fillRow(row, cells, columns) {
  cells.forEach((cell, i) => {
    if (row.children.length <= i) {
      row.append(el(i === 0 ? "th" : "td", { class: columns[i].kind, scope: i === 0 && "row" }));
    }
    const node = row.children[i];
    const key = cellKey(cell);
    if (key !== null && node.iqKey === key) return;
    node.iqKey = key;
    node.replaceChildren(cellContent(cell));
  });
}

// A table with a caption. Columns are names, or {name, kind: "number"}. A cell is a text, a node,
// or {key, make}: it is made anew only when its text or key has changed, which keeps the focus and
// a selection where they are.
export function table(caption, names, empty) {
  const columns = names.map((name) => (typeof name === "string" ? { name, kind: null } : name));
  const head = columns.map(({ name, kind }) => el("th", { scope: "col", class: kind }, name));
  const body = el("tbody");
  const none = el("p", { class: "empty" }, empty || "None.");
  const scroll = { class: "scroll", tabindex: "0", role: "group" };
  const node = el("div", { class: "table" },
    el("div", { ...scroll, "aria-label": `${caption}, scrollable` },
      el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...head)), body)),
    none);
  const fill = (rows) => {
    while (body.children.length > rows.length) body.lastChild.remove();
    rows.forEach((cells, i) => {
      if (body.children.length <= i) body.append(el("tr"));
      fillRow(body.children[i], cells, columns);
    });
    none.hidden = rows.length > 0;
  };
  fill([]);
  return { node, fill, body };
}

export function number(name) {
  return { name, kind: "number" };
}

export function text(raw, options) {
  if (raw === undefined || raw === null || raw === "") return "–";
  return { key: `text ${asText(raw)}`, make: () => value(raw, options) };
}

export function state(word) {
  return { key: `state ${word}`, make: () => badge(word) };
}

export function moments(raw) {
  return raw ? { key: `time ${raw}`, make: () => when(raw) } : "–";
}

// Runs an act with the button disabled, what went wrong beside it.
export async function act(control, says, work) {
  const focused = document.activeElement === control;
  control.disabled = true;
  says.clear();
  try {
    return await work();
  } catch (error) {
    says.fault(error);
    return undefined;
  } finally {
    control.disabled = false;
    if (focused && document.activeElement === document.body) control.focus();
  }
}
