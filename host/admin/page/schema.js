// A JSON Schema as a table for reading, and as the start of a body.
import { block, el, table, text, value } from "./dom.js";
import { copy, isObject, write } from "./json.js";
import { join, resolve, rulesInWords, typeInWords, typesOf } from "./validate.js";

const kDepthMax = 8;
const kRowsMax = 300;

// The properties of an object's schema, those from allOf with them: [name, schema, required].
export function propertiesOf(schema, root) {
  const found = new Map();
  const required = new Set();
  const collect = (unresolved, depth) => {
    const part = resolve(unresolved, root);
    if (!isObject(part) || depth > kDepthMax) return;
    if (isObject(part.properties)) {
      for (const name of Object.keys(part.properties)) {
        if (!found.has(name)) found.set(name, part.properties[name]);
      }
    }
    if (Array.isArray(part.required)) part.required.forEach((name) => required.add(name));
    if (Array.isArray(part.allOf)) part.allOf.forEach((each) => collect(each, depth + 1));
  };
  collect(schema, 0);
  for (const name of required) if (!found.has(name)) found.set(name, Object.create(null));
  return [...found].map(([name, each]) => [name, each, required.has(name)]);
}

export function kindInWords(schema) {
  if (schema === false) return "nothing";
  if (!isObject(schema)) return "anything";
  const types = typesOf(schema);
  if (types.length > 0) return typeInWords(types);
  for (const keyword of ["oneOf", "anyOf"]) {
    if (Array.isArray(schema[keyword])) return `one of ${schema[keyword].length} forms`;
  }
  return "const" in schema || "enum" in schema ? "a value" : "anything";
}

function rowsOf(schema, root, path, required, depth, rows) {
  const own = resolve(schema, root);
  if (depth > kDepthMax || rows.length >= kRowsMax) return;
  if (path !== "") {
    const object = isObject(own) ? own : Object.create(null);
    rows.push([text(path, { mono: true }), kindInWords(own), required ? "required" : "optional",
      text(rulesInWords(object).join("; ")), text(object.description || object.title)]);
  }
  if (!isObject(own)) return;
  for (const [name, each, needed] of propertiesOf(own, root)) {
    rowsOf(each, root, join(path, name), needed, depth + 1, rows);
  }
  if (isObject(own.items)) rowsOf(own.items, root, `${path}[]`, false, depth + 1, rows);
  for (const keyword of ["oneOf", "anyOf"]) {
    if (!Array.isArray(own[keyword])) continue;
    own[keyword].forEach((each, i) =>
      rowsOf(each, root, `${path || "body"} (form ${i + 1})`, false, depth + 1, rows));
  }
}

export function schemaForReading(schema, caption) {
  if (!isObject(schema)) return el("p", { class: "empty" }, "No schema: any JSON object is taken.");
  const rows = [];
  rowsOf(schema, schema, "", false, 0, rows);
  const shown = table(caption, ["Field", "Is", "Needed", "Rules", "Says"], "It names no fields.");
  shown.fill(rows);
  return el("div", {}, schema.description && el("p", {}, value(schema.description)), shown.node,
    el("details", {}, el("summary", {}, "As JSON"),
      block(write(schema, 2), `${caption}, as JSON`)));
}

function startOf(unresolved, root, depth) {
  const schema = resolve(unresolved, root);
  if (!isObject(schema) || depth > kDepthMax) return undefined;
  if ("const" in schema) return schema.const;
  if ("default" in schema) return schema.default;
  if (Array.isArray(schema.examples) && schema.examples.length > 0) return schema.examples[0];
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  const properties = propertiesOf(schema, root);
  if (properties.length === 0 && typesOf(schema)[0] !== "object") return undefined;
  const object = Object.create(null);
  for (const [name, each, required] of properties) {
    const start = required ? startOf(each, root, depth + 1) : undefined;
    if (start !== undefined) object[name] = start;
  }
  return object;
}

// A body to begin with: the schema's first example, or what it prescribes.
export function startingBody(type, schema) {
  const start = schema ? startOf(schema, schema, 0) : undefined;
  const rest = isObject(start) ? copy(start) : null;
  return Object.assign(Object.create(null), { type }, rest, { type });
}
