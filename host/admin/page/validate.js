// Checks a value against a JSON Schema, draft 7, and says in words what is wrong and where.
import { compare, equal, isMultiple, isNumber, isObject, write } from "./json.js";
import { visible } from "./text.js";

const kDepthMax = 64;
const kFaultsMax = 100;
const kVisitsMax = 100000;
const kPatternCharactersMax = 1024;

// Follows "$ref" within the same schema. What leads nowhere is {}, which takes everything.
export function resolve(schema, root) {
  let current = schema;
  for (let i = 0; i < kDepthMax && isObject(current) && typeof current.$ref === "string"; i += 1) {
    current = target(root, current.$ref);
  }
  return isObject(current) && typeof current.$ref === "string" ? Object.create(null) : current;
}

function target(root, reference) {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return Object.create(null);
  let node = root;
  for (const part of reference.slice(2).split("/")) {
    const name = part.replace(/~1/g, "/").replace(/~0/g, "~");
    const own = typeof node === "object" && node !== null && Object.hasOwn(node, name);
    if (!own) return Object.create(null);
    node = node[name];
  }
  return node;
}

export function typesOf(schema) {
  const { type } = schema;
  return typeof type === "string" ? [type] : Array.isArray(type) ? type.filter(isText) : [];
}

function isText(value) {
  return typeof value === "string";
}

const kTypeTests = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  string: isText,
  number: isNumber,
  integer: (value) => isNumber(value) && isMultiple(value, 1),
  array: Array.isArray,
  object: isObject,
};
const kArticles = {
  null: "null", boolean: "true or false", string: "a text", number: "a number",
  integer: "an integer", array: "an array", object: "an object",
};

export function typeInWords(types) {
  return types.map((type) => kArticles[type] || visible(type)).join(" or ");
}

function short(value) {
  const text = visible(write(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function length(text) {
  let points = 0;
  for (const each of text) points += each.length > 0 ? 1 : 0;
  return points;
}

function patternOf(text) {
  try {
    return new RegExp(text, "u");
  } catch {
    try {
      return new RegExp(text);
    } catch {
      return null;
    }
  }
}

function misses(pattern, text) {
  const compiled = patternOf(pattern);
  return compiled !== null && text.length <= kPatternCharactersMax && !compiled.test(text);
}

// keyword: [kind of value it is about, whether the value breaks it, what it demands]
const kRules = {
  minimum: [isNumber, (v, x) => compare(v, x) < 0, (x) => `at least ${x}`],
  maximum: [isNumber, (v, x) => compare(v, x) > 0, (x) => `at most ${x}`],
  exclusiveMinimum: [isNumber, (v, x) => compare(v, x) <= 0, (x) => `above ${x}`],
  exclusiveMaximum: [isNumber, (v, x) => compare(v, x) >= 0, (x) => `below ${x}`],
  multipleOf: [isNumber, (v, x) => !isMultiple(v, x), (x) => `a multiple of ${x}`],
  minLength: [isText, (v, x) => compare(length(v), x) < 0, (x) => `at least ${characters(x)} long`],
  maxLength: [isText, (v, x) => compare(length(v), x) > 0, (x) => `at most ${characters(x)} long`],
  pattern: [isText, (v, x) => misses(x, v), (x) => `of the form ${visible(x)}`],
  minItems: [Array.isArray, (v, x) => compare(v.length, x) < 0, (x) => `of at least ${x} elements`],
  maxItems: [Array.isArray, (v, x) => compare(v.length, x) > 0, (x) => `of at most ${x} elements`],
  uniqueItems: [Array.isArray, (v) => repeats(v), () => "without repeated elements"],
  minProperties: [isObject, (v, x) => compare(Object.keys(v).length, x) < 0,
    (x) => `of at least ${x} members`],
  maxProperties: [isObject, (v, x) => compare(Object.keys(v).length, x) > 0,
    (x) => `of at most ${x} members`],
};

function characters(number) {
  return `${number} ${String(number) === "1" ? "character" : "characters"}`;
}

function repeats(list) {
  return list.length < 1000 &&
    list.some((item, i) => list.slice(0, i).some((earlier) => equal(earlier, item)));
}

function usable(keyword, demand) {
  if (keyword === "pattern") return isText(demand);
  if (keyword === "uniqueItems") return demand === true;
  return isNumber(demand);
}

// What a schema demands beyond the type, in words.
export function rulesInWords(schema) {
  const words = [];
  if ("const" in schema) words.push(`exactly ${short(schema.const)}`);
  if (Array.isArray(schema.enum)) words.push(`one of ${schema.enum.map(short).join(", ")}`);
  for (const [keyword, [, , demand]] of Object.entries(kRules)) {
    if (keyword in schema && usable(keyword, schema[keyword])) words.push(demand(schema[keyword]));
  }
  return words;
}

export function join(path, name) {
  return typeof name === "number" ? `${path}[${name}]` : path ? `${path}.${name}` : name;
}

// A schema may refer to itself in several places: what is left of `budget` ends the check then.
class Check {
  constructor(root, budget) {
    this.root = root;
    this.budget = budget;
    this.faults = [];
  }

  add(path, message) {
    if (this.faults.length < kFaultsMax) this.faults.push({ path, message });
  }

  fits(value, schema, depth) {
    const inner = new Check(this.root, this.budget);
    inner.value(value, schema, "", depth + 1);
    return inner.faults.length === 0;
  }

  value(value, unresolved, path, depth) {
    this.budget.visits -= 1;
    if (depth > kDepthMax || this.budget.visits < 0) return;
    const schema = resolve(unresolved, this.root);
    if (schema === false) this.add(path, "must not be there");
    if (!isObject(schema)) return;
    if (!this.type(value, schema, path)) return;
    this.rules(value, schema, path);
    this.combinations(value, schema, path, depth);
    if (isObject(value)) this.object(value, schema, path, depth);
    if (Array.isArray(value)) this.array(value, schema, path, depth);
  }

  type(value, schema, path) {
    const types = typesOf(schema);
    const known = types.filter((type) => Object.hasOwn(kTypeTests, type));
    if (types.length === 0 || known.some((type) => kTypeTests[type](value))) return true;
    this.add(path, `must be ${typeInWords(types)}`);
    return false;
  }

  rules(value, schema, path) {
    if ("const" in schema && !equal(value, schema.const)) {
      this.add(path, `must be exactly ${short(schema.const)}`);
    }
    if (Array.isArray(schema.enum) && !schema.enum.some((each) => equal(each, value))) {
      this.add(path, `must be one of ${schema.enum.map(short).join(", ")}`);
    }
    for (const [keyword, [isAbout, breaks, demand]] of Object.entries(kRules)) {
      if (!(keyword in schema) || !usable(keyword, schema[keyword]) || !isAbout(value)) continue;
      if (breaks(value, schema[keyword])) this.add(path, `must be ${demand(schema[keyword])}`);
    }
  }

  combinations(value, schema, path, depth) {
    const list = (keyword) => (Array.isArray(schema[keyword]) ? schema[keyword] : []);
    for (const each of list("allOf")) this.value(value, each, path, depth + 1);
    const any = list("anyOf");
    if (any.length > 0 && !any.some((each) => this.fits(value, each, depth))) {
      this.add(path, "must be of one of the forms that the schema allows");
    }
    const one = list("oneOf");
    const fitting = one.filter((each) => this.fits(value, each, depth)).length;
    if (one.length > 0 && fitting !== 1) {
      this.add(path, `must be of exactly one of the schema's forms, is of ${fitting || "none"}`);
    }
    if ("not" in schema && this.fits(value, schema.not, depth)) {
      this.add(path, "is what the schema rules out");
    }
    if ("if" in schema) this.branch(value, schema, path, depth);
  }

  branch(value, schema, path, depth) {
    const next = this.fits(value, schema.if, depth) ? "then" : "else";
    if (next in schema) this.value(value, schema[next], path, depth + 1);
  }

  object(value, schema, path, depth) {
    for (const name of Array.isArray(schema.required) ? schema.required : []) {
      if (!(name in value)) this.add(join(path, name), "is required");
    }
    for (const name of Object.keys(value)) this.member(value, name, schema, path, depth);
    for (const [name, needs] of Object.entries(schema.dependencies || {})) {
      if (!(name in value)) continue;
      if (!Array.isArray(needs)) this.value(value, needs, path, depth + 1);
      else this.object(value, { required: needs }, path, depth);
    }
  }

  member(value, name, schema, path, depth) {
    const at = join(path, name);
    const properties = isObject(schema.properties) ? schema.properties : {};
    const patterns = isObject(schema.patternProperties) ? schema.patternProperties : {};
    let known = false;
    if (Object.hasOwn(properties, name)) {
      known = true;
      this.value(value[name], properties[name], at, depth + 1);
    }
    for (const [pattern, each] of Object.entries(patterns)) {
      if (misses(pattern, name)) continue;
      known = true;
      this.value(value[name], each, at, depth + 1);
    }
    if ("propertyNames" in schema) this.value(name, schema.propertyNames, at, depth + 1);
    if (known || !("additionalProperties" in schema)) return;
    if (schema.additionalProperties === false) this.add(at, "is not known to the schema");
    else this.value(value[name], schema.additionalProperties, at, depth + 1);
  }

  array(value, schema, path, depth) {
    const { items } = schema;
    value.forEach((each, i) => {
      const own = !Array.isArray(items) ? items
        : i < items.length ? items[i] : schema.additionalItems;
      if (own !== undefined) this.value(each, own, join(path, i), depth + 1);
    });
    if ("contains" in schema && !value.some((each) => this.fits(each, schema.contains, depth))) {
      this.add(path, "has no element that the schema demands");
    }
  }
}

// [{path: "details.uuid", message: "is required"}], the body's own faults with path "".
export function validate(value, schema) {
  const check = new Check(schema, { visits: kVisitsMax });
  check.value(value, schema, "", 0);
  return check.faults;
}
