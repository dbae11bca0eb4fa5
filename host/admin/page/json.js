// JSON that keeps numbers digit for digit: one that a double would change is held as Digits.
// Objects have no prototype, so no member of theirs can be mistaken for anything else.

const kDepthMax = 500;
const kNumber = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const kSpace = /[ \t\n\r]*/y;
const kPlain = /[^"\\\u0000-\u001f]*/y;
const kEscapes = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

export class Digits {
  constructor(token) {
    this.token = token;
  }

  toString() {
    return this.token;
  }
}

export function isNumber(value) {
  return typeof value === "number" || value instanceof Digits;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Digits);
}

// A number for what is a number in JSON, or null.
export function numberOf(text) {
  kNumber.lastIndex = 0;
  const match = kNumber.exec(text);
  if (!match || match[0].length !== text.length) return null;
  const number = Number(text);
  return String(number) === text ? number : new Digits(text);
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(what) {
    const before = this.text.slice(0, this.at).split("\n");
    throw new SyntaxError(
      `${what} at line ${before.length}, column ${before[before.length - 1].length + 1}`);
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at += match[0].length;
    return match && match[0];
  }

  space() {
    this.take(kSpace);
  }

  expect(character) {
    this.space();
    if (this.text[this.at] !== character) this.fail(`"${character}" is missing`);
    this.at += 1;
  }

  word(word, value) {
    if (!this.text.startsWith(word, this.at)) this.fail("a value is missing");
    this.at += word.length;
    return value;
  }

  value(depth) {
    if (depth > kDepthMax) this.fail("nested too deeply");
    this.space();
    switch (this.text[this.at]) {
      case "{": return this.object(depth);
      case "[": return this.array(depth);
      case '"': return this.string();
      case "t": return this.word("true", true);
      case "f": return this.word("false", false);
      case "n": return this.word("null", null);
      case undefined: return this.fail("the text ends too early");
      default: return this.number();
    }
  }

  number() {
    const token = this.take(kNumber);
    return token ? numberOf(token) : this.fail("a value is missing");
  }

  string() {
    this.at += 1;
    let result = "";
    for (;;) {
      result += this.take(kPlain);
      const next = this.text[this.at];
      if (next === undefined) this.fail("a text does not end");
      if (next !== '"' && next !== "\\") this.fail("a control character within a text");
      this.at += 1;
      if (next === '"') return result;
      result += this.escape();
    }
  }

  escape() {
    const letter = this.text[this.at];
    if (letter in kEscapes) {
      this.at += 1;
      return kEscapes[letter];
    }
    const hex = this.text.slice(this.at + 1, this.at + 5);
    if (letter !== "u" || !/^[0-9a-fA-F]{4}$/.test(hex)) this.fail("an escape that is none");
    this.at += 5;
    return String.fromCharCode(parseInt(hex, 16));
  }

  // Whether another element follows.
  more(end) {
    this.space();
    const next = this.text[this.at];
    if (next !== "," && next !== end) this.fail(`"," or "${end}" is missing`);
    this.at += 1;
    return next === ",";
  }

  array(depth) {
    const result = [];
    this.at += 1;
    this.space();
    if (this.text[this.at] === "]") {
      this.at += 1;
      return result;
    }
    do result.push(this.value(depth + 1)); while (this.more("]"));
    return result;
  }

  object(depth) {
    const result = Object.create(null);
    this.at += 1;
    this.space();
    if (this.text[this.at] === "}") {
      this.at += 1;
      return result;
    }
    do {
      this.space();
      if (this.text[this.at] !== '"') this.fail("a name in quotes is missing");
      const name = this.string();
      this.expect(":");
      result[name] = this.value(depth + 1);
    } while (this.more("}"));
    return result;
  }
}

// Throws SyntaxError with a sentence that says where.
export function parse(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.space();
  if (reader.at < text.length) reader.fail("something follows the value");
  return value;
}

function writeMembers(parts, open, close, indent, level) {
  if (parts.length === 0) return open + close;
  if (indent === 0) return open + parts.join(",") + close;
  const pad = " ".repeat(indent * (level + 1));
  return `${open}\n${pad}${parts.join(`,\n${pad}`)}\n${" ".repeat(indent * level)}${close}`;
}

export function write(value, indent = 0, level = 0) {
  if (value instanceof Digits) return value.token;
  if (Array.isArray(value)) {
    const parts = value.map((item) => write(item, indent, level + 1));
    return writeMembers(parts, "[", "]", indent, level);
  }
  if (isObject(value)) {
    const colon = indent ? ": " : ":";
    const parts = Object.keys(value).map(
      (name) => JSON.stringify(name) + colon + write(value[name], indent, level + 1));
    return writeMembers(parts, "{", "}", indent, level);
  }
  return JSON.stringify(value);
}

export function copy(value) {
  return parse(write(value));
}

// A decimal as digits * 10^exponent, exactly; null where the exponent is beyond all reason.
function decimal(number) {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(String(number));
  const fraction = match[3] || "";
  const exponent = Number(match[4] || 0) - fraction.length;
  if (Math.abs(exponent) > 2000) return null;
  return { digits: BigInt(match[1] + match[2] + fraction), exponent };
}

function aligned(a, b) {
  const [x, y] = [decimal(a), decimal(b)];
  if (!x || !y) return null;
  const exponent = Math.min(x.exponent, y.exponent);
  const scale = (part) => part.digits * 10n ** BigInt(part.exponent - exponent);
  return [scale(x), scale(y)];
}

// Below, at or above zero, as a is below, at or above b.
export function compare(a, b) {
  const [x, y] = aligned(a, b) || [Number(String(a)), Number(String(b))];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function isMultiple(number, of) {
  const pair = aligned(number, of);
  return pair !== null && pair[1] !== 0n && pair[0] % pair[1] === 0n;
}

export function equal(a, b) {
  if (isNumber(a) || isNumber(b)) return isNumber(a) && isNumber(b) && compare(a, b) === 0;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length &&
    names.every((name) => name in b && equal(a[name], b[name]));
}
