// A form for a JSON Schema. It holds no value of its own: it shows those of a body and tells which
// of them were changed. What it has no field for is a field of JSON.
import { el, uniqueId } from "./dom.js";
import { equal, isObject, numberOf, parse, write } from "./json.js";
import { kindInWords, propertiesOf } from "./schema.js";
import { visible } from "./text.js";
import { join, resolve, rulesInWords, typesOf } from "./validate.js";

const kDepthMax = 6;

export function at(body, path) {
  let node = body;
  for (const name of path) {
    if (!isObject(node) || !(name in node)) return undefined;
    node = node[name];
  }
  return node;
}

// Sets what is at the path, objects on the way being made; undefined takes it away.
export function put(body, path, value) {
  let node = body;
  for (const name of path.slice(0, -1)) {
    if (!isObject(node[name])) {
      if (value === undefined) return;
      node[name] = Object.create(null);
    }
    node = node[name];
  }
  const name = path[path.length - 1];
  if (value === undefined) delete node[name];
  else node[name] = value;
}

function isTyped(schema) {
  const types = typesOf(schema);
  return types.length > 0 &&
    types.every((type) => type === "string" || type === "number" || type === "integer");
}

// Each kind of control: node, and how to show a value in it and to read one from it. Reading throws
// where there is no value to be had.
function choiceControl(values) {
  const node = el("select", {}, el("option", { value: "" }, "(not there)"),
    ...values.map((each, i) => el("option", { value: String(i) }, visible(write(each)))));
  const other = el("option", { value: "other" }, "(another value)");
  return {
    node,
    show: (value) => {
      const index = value === undefined ? "" : values.findIndex((each) => equal(each, value));
      if (index === -1) node.append(other);
      else other.remove();
      node.value = index === -1 ? "other" : String(index);
    },
    read: (before) => {
      if (node.value === "") return undefined;
      return node.value === "other" ? before : values[Number(node.value)];
    },
  };
}

// Digits are a number where the schema has numbers; in quotes they are a text.
function typedControl(schema) {
  const types = typesOf(schema);
  const numbers = types.some((type) => type !== "string");
  const texts = types.includes("string");
  const node = el("input", {
    type: "text", autocomplete: "off", spellcheck: "false", dir: "auto",
    inputmode: numbers && !texts ? "decimal" : null,
  });
  const quoted = (value) => numbers && (numberOf(value) !== null || value.startsWith('"'));
  return {
    node,
    show: (value) => {
      if (value === undefined) node.value = "";
      else if (typeof value === "string") node.value = quoted(value) ? write(value) : value;
      else node.value = write(value);
    },
    read: () => {
      const typed = node.value;
      if (typed === "") return undefined;
      if (!numbers) return typed;
      const number = numberOf(typed.trim());
      if (number !== null) return number;
      return /^\s*"/.test(typed) ? textIn(typed) : typed;
    },
  };
}

function textIn(typed) {
  try {
    const value = parse(typed);
    return typeof value === "string" ? value : typed;
  } catch {
    return typed;
  }
}

function jsonControl() {
  const node = el("textarea", { rows: "2", spellcheck: "false", class: "mono" });
  return {
    node,
    show: (value) => {
      node.value = value === undefined ? "" : write(value);
    },
    read: () => (node.value.trim() === "" ? undefined : parse(node.value)),
  };
}

function controlFor(schema) {
  if ("const" in schema) return choiceControl([schema.const]);
  if (Array.isArray(schema.enum)) return choiceControl(schema.enum);
  const types = typesOf(schema);
  if (types.length === 1 && types[0] === "boolean") return choiceControl([true, false]);
  return isTyped(schema) ? typedControl(schema) : jsonControl();
}

function hintFor(schema, required) {
  const rules = rulesInWords(schema);
  const kind = kindInWords(schema);
  const words = kind === "a value" ? rules : [kind, ...rules];
  if (controlFor(schema).node.tagName === "TEXTAREA") words.push("as JSON");
  if (typesOf(schema).includes("string") && typesOf(schema).length > 1) {
    words.push("digits in quotes are a text");
  }
  const says = schema.description || schema.title;
  return `${required ? "Required; " : ""}${words.join(", ")}${says ? `. ${visible(says)}` : ""}`;
}

function makeField(path, schema, required, body, changed) {
  const control = controlFor(schema);
  const name = path.reduce(join, "");
  const id = uniqueId("form");
  const fault = el("span", { class: "fault", id: `${id}-fault` });
  const { node } = control;
  let unread = "";
  node.id = id;
  node.setAttribute("aria-describedby", `${id}-hint ${id}-fault`);
  if (required) node.setAttribute("aria-required", "true");
  const show = (messages) => {
    const words = unread || messages.join("; ");
    fault.textContent = words;
    node.setAttribute("aria-invalid", words ? "true" : "false");
  };
  node.addEventListener("input", () => {
    unread = "";
    try {
      const value = control.read(at(body(), path));
      put(body(), path, value);
      changed(name);
    } catch (error) {
      unread = `is not JSON: ${error.message}`;
      show([]);
    }
  });
  const label = el("label", { for: id, dir: "auto" }, visible(name));
  return {
    name, show,
    node: el("div", { class: "field" }, label, node,
      el("span", { class: "hint", id: `${id}-hint` }, hintFor(schema, required)), fault),
    sync: () => {
      if (document.activeElement === node) return;
      unread = "";
      control.show(at(body(), path));
    },
  };
}

function isNested(schema, root, depth) {
  return depth < kDepthMax && !("const" in schema) && !Array.isArray(schema.enum) &&
    propertiesOf(schema, root).length > 0;
}

// `body` gives the body that is edited; `changed(name)` is called after a field has changed it.
export function makeForm(schema, body, changed) {
  const fields = [];
  const build = (parent, path, depth) => propertiesOf(parent, schema)
    .filter(([name]) => depth > 0 || name !== "type")
    .map(([name, unresolved, required]) => {
      const resolved = resolve(unresolved, schema);
      const own = isObject(resolved) ? resolved : Object.create(null);
      const here = [...path, name];
      if (isNested(own, schema, depth)) {
        return el("fieldset", {}, el("legend", {}, visible(here.reduce(join, "")),
          required ? "" : " (optional)"), ...build(own, here, depth + 1));
      }
      const field = makeField(here, own, required, body, changed);
      fields.push(field);
      return field.node;
    });
  const node = el("div", { class: "form" }, ...build(schema, [], 0));
  if (fields.length === 0) {
    node.append(el("p", { class: "empty" }, "The schema names no fields: write the JSON."));
  }
  return { node, sync, tell };

  function sync() {
    fields.forEach((field) => field.sync());
  }

  // Shows faults [{path, message}] at the fields, and gives those that have none.
  function tell(faults) {
    const homeless = [...faults];
    for (const field of fields) {
      const own = faults.filter((fault) => fault.path === field.name ||
        fault.path.startsWith(`${field.name}.`) || fault.path.startsWith(`${field.name}[`));
      own.forEach((fault) => homeless.splice(homeless.indexOf(fault), 1));
      field.show(own.map((fault) => (fault.path === field.name
        ? fault.message : `${visible(fault.path)} ${fault.message}`)));
    }
    return homeless;
  }
}

