// Makes text fit to be shown: characters that do not show, or that move others about, become
// escapes; numbers, times and durations get one form for the whole page.

// Controls, format characters (bidirectional ones among them), fillers that look like nothing,
// separators of lines, and halves of surrogate pairs.
const kUnseen =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]/gu;
const kUnseenInLines = new RegExp(`(?![\\n\\t])${kUnseen.source}`, "gu");
const kShort = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeOf(character) {
  if (kShort[character]) return kShort[character];
  const code = character.codePointAt(0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
}

export function unseen(lines = false) {
  return lines ? kUnseenInLines : kUnseen;
}

// The text with its unseen characters as escapes; `lines` lets line feeds and tabs be.
export function visible(text, lines = false) {
  return String(text).replace(lines ? kUnseenInLines : kUnseen, escapeOf);
}

// The same in a JSON text that is to be edited: each escape is one that JSON has, so that what the
// text means stays as it was.
export function editable(json) {
  const units = (characters) => Array.from({ length: characters.length },
    (_, i) => `\\u${characters.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
  return json.replace(/\r\n?/g, "\n").replace(kUnseenInLines, units);
}

// At most `length` code units, no surrogate pair cut in two.
export function clip(text, length) {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

const kWhole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const kTenth = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

export function count(number) {
  return number === null || number === undefined ? "–" : kWhole.format(number);
}

export function rate(number) {
  return number < 10 ? kTenth.format(number) : kWhole.format(number);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

// 0.0021 is "2.1 ms".
export function latency(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds >= 1) return `${kTenth.format(seconds)} s`;
  const ms = seconds * 1000;
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

// 93784 is "1 d 2 h".
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${kTenth.format(seconds)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.round(seconds);
  const words = [];
  for (const [name, size] of units) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) words.push(`${whole} ${name}`);
  }
  return words.slice(0, 2).join(" ");
}

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  if (number < 1024) return plural(number, "byte");
  const kib = number / 1024;
  return kib < 1024 ? `${kTenth.format(kib)} KiB` : `${kTenth.format(kib / 1024)} MiB`;
}

const kTwo = (number) => String(number).padStart(2, "0");

export function clock(date) {
  return `${kTwo(date.getHours())}:${kTwo(date.getMinutes())}:${kTwo(date.getSeconds())}`;
}

// RFC 3339 becomes this browser's date and time; what is no time stays as it is.
export function time(text) {
  if (!text) return "–";
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return String(text);
  const day = `${date.getFullYear()}-${kTwo(date.getMonth() + 1)}-${kTwo(date.getDate())}`;
  return `${day} ${clock(date)}`;
}

const kUnits = { s: 1, m: 60, min: 60, h: 3600, d: 86400, w: 604800 };

// "2h", "2026-01-31", "2026-01-31 12:00" (this browser's time) or RFC 3339 become RFC 3339 in UTC.
// Nothing stays nothing; null says that the text is none of these.
export function moment(text, now = Date.now()) {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const ago = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)(?:\s+ago)?$/.exec(trimmed);
  if (ago) return iso(new Date(now - Number(ago[1]) * kUnits[ago[2]] * 1000));
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d:\d\d)?)?$/.test(trimmed)) {
    return null;
  }
  const withTime = trimmed.length === 10 ? `${trimmed}T00:00` : trimmed.replace(" ", "T");
  return iso(new Date(withTime.replace(/\s/g, "")));
}

function iso(date) {
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    .join("-");
}
