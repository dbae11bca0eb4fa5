// Speaks to the host: the token, errors as sentences, and the two streams.
import { parse } from "./json.js";

const kTokenKey = "iq.token";
const listeners = [];

export const session = { name: null, may: "none", hasTokens: true, showBodies: true };

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export function token() {
  return sessionStorage.getItem(kTokenKey) || "";
}

export function setToken(text) {
  if (text) sessionStorage.setItem(kTokenKey, text);
  else sessionStorage.removeItem(kTokenKey);
}

// Takes `#token=…` out of the address before anything else can see it there.
export function takeTokenFromAddress() {
  const match = /^#(?:.*&)?token=([^&]+)/.exec(location.hash);
  if (!match) return;
  setToken(unescapePart(match[1]));
  history.replaceState(null, "", location.pathname + location.search);
}

export function unescapePart(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Calls `listener` whenever a request to read was refused for want of a token.
export function onUnauthorized(listener) {
  listeners.push(listener);
}

async function errorOf(response) {
  let sentence = "";
  try {
    sentence = parse(await response.text()).error;
  } catch {
    sentence = "";
  }
  return new ApiError(sentence || `The host answered with status ${response.status}.`,
    response.status);
}

async function open(path, { method = "GET", body, signal } = {}) {
  const headers = {};
  if (token()) headers.Authorization = `Bearer ${token()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api/${path}`, {
      method, headers, signal, cache: "no-store", credentials: "omit",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The host does not answer.", 0);
  }
  if (response.ok) return response;
  if (response.status === 401 && method === "GET") listeners.forEach((listener) => listener());
  throw await errorOf(response);
}

// Empty members are left out; those that are lists come several times.
export function query(members) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    for (const each of [value].flat()) {
      if (each !== "" && each !== null && each !== undefined) parts.append(name, each);
    }
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

export async function get(path, signal) {
  return parse(await (await open(path, { signal })).text());
}

export async function post(path, body, signal) {
  return parse(await (await open(path, { method: "POST", body, signal })).text());
}

export async function loadSession() {
  Object.assign(session, { name: null, may: "none" }, await get("session"));
  return session;
}

async function* lines(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const whole = rest.split(/\r?\n/);
      rest = whole.pop();
      yield* whole;
      if (done) break;
    }
    if (rest) yield rest;
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Each server-sent event as {name, data}. EventSource could not carry the token.
export async function* events(path, signal) {
  let name = "message";
  let data = [];
  for await (const line of lines(await open(path, { signal }))) {
    if (line === "") {
      if (data.length > 0) yield { name, data: JSON.parse(data.join("\n")) };
      name = "message";
      data = [];
    } else if (line.startsWith("event:")) {
      name = line.slice(6).trim();
    } else if (line.startsWith("data:")) {
      data.push(line.slice(5));
    }
  }
}

// Each line of JSON that answers a POST, as it comes.
export async function* answers(path, body, signal) {
  for await (const line of lines(await open(path, { method: "POST", body, signal }))) {
    if (line.trim() !== "") yield parse(line);
  }
}
