// A headless Chromium for one story about the page. Each of its tabs notes what must never happen:
// an error on the console, a request to somebody else, a dialog.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

export const kDesktop = { width: 1280, height: 900 };
export const kPhone = { width: 375, height: 812 };
export const kSchemes = ["light", "dark"];

const kPatienceMs = 20_000;
// What the browser itself says of an answer with an error's status, which a tab notes as refused.
const kRefusedLoad = /^Failed to load resource: the server responded with a status of /;

export class Tab {
  constructor(page, url) {
    this.page = page;
    this.url = url;
    this.faults = [];
    this.refused = []; // "401 POST /api/seed"
    page.setDefaultTimeout(kPatienceMs);
    this.watch();
  }

  watch() {
    const { page, faults, refused } = this;
    const { origin } = new URL(this.url);
    page.on("console", (message) => {
      if (message.type() !== "error" || kRefusedLoad.test(message.text())) return;
      faults.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => faults.push(`thrown: ${error.stack || error}`));
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) faults.push(`asked ${request.url()}`);
    });
    page.on("websocket", (socket) => faults.push(`asked ${socket.url()}`));
    page.on("response", (response) => {
      if (response.status() < 400) return;
      const { pathname } = new URL(response.url());
      refused.push(`${response.status()} ${response.request().method()} ${pathname}`);
    });
    page.on("dialog", (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    page.on("popup", (popup) => faults.push(`opened ${popup.url()}`));
  }

  // The first load: the view that `hash` names.
  async open(hash = "") {
    await this.page.goto(this.url + hash);
    await this.heading().waitFor();
  }

  // By its link at the top.
  async go(name) {
    await this.page.getByRole("navigation", { name: "Views" })
      .getByRole("link", { name, exact: true }).click();
    await this.heading(name).waitFor();
  }

  // As if somebody typed the address. The heading that was there leaves first.
  async visit(hash) {
    await this.page.evaluate((to) => {
      if (location.hash === to) return;
      document.querySelector("main h2")?.remove();
      location.hash = to;
    }, hash);
    await this.heading().waitFor();
  }

  heading(name) {
    const named = name === undefined ? {} : { name, exact: true };
    return this.page.getByRole("main").getByRole("heading", { level: 2, ...named });
  }

  async signIn(token, who) {
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
    const dialog = this.page.getByRole("dialog", { name: "Sign in" });
    await dialog.getByLabel("Token", { exact: true }).fill(token);
    await dialog.getByRole("button", { name: "Use this token" }).click();
    await this.page.getByText(who).first().waitFor();
    await dialog.waitFor({ state: "hidden" });
  }

  // Waits until the page announces such a sentence; gives it whole.
  async says(pattern) {
    const sentence = this.page.getByRole("status").filter({ hasText: pattern }).first();
    await sentence.waitFor();
    return (await sentence.innerText()).trim();
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  table(caption) {
    return this.page.getByRole("table", { name: caption, exact: true });
  }

  // A row of a table that has all of these texts.
  row(caption, ...texts) {
    return texts.reduce((rows, hasText) => rows.filter({ hasText }),
      this.table(caption).getByRole("row")).first();
  }

  async scheme(colorScheme) {
    await this.page.emulateMedia({ colorScheme });
  }

  // What has been noted so far. `refused` are the refusals that the story is about.
  expectQuiet(refused = []) {
    assert.deepEqual(this.faults, [], "the page did what it must not");
    assert.deepEqual([...new Set(this.refused)], refused, "answers with an error's status");
  }
}

// Asks until `ask` gives something true, and gives that.
export async function eventually(what, ask, pauseMs = 100) {
  const end = Date.now() + kPatienceMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `never: ${what}`);
    await pause(pauseMs);
  }
}

// A command by the form: `fields` by their labels, in which a nested one is "details.uuid".
export async function fillForm(tab, type, fields) {
  const { page } = tab;
  await page.getByLabel("Type", { exact: true }).selectOption({ label: type });
  for (const [name, value] of Object.entries(fields)) {
    const control = page.getByLabel(name, { exact: true });
    const isChoice = await control.evaluate((node) => node.tagName === "SELECT");
    if (isChoice) await control.selectOption({ label: JSON.stringify(value) });
    else await control.fill(String(value));
  }
}

// A command as JSON. The page begins a body of its own once it knows the types.
export async function fillJson(tab, text) {
  await tab.page.getByLabel("Type", { exact: true })
    .getByRole("option", { name: "(another type)", exact: true }).waitFor({ state: "attached" });
  await tab.page.getByLabel("JSON", { exact: true }).fill(text);
}

// Sends what the editor holds, and gives the line that tells its outcome.
export async function sendAs(tab, id, outcome) {
  await tab.page.getByLabel("Message id", { exact: true }).fill(id);
  await tab.button("Send").click();
  const line = tab.page.getByRole("log", { name: "Outcomes" }).getByRole("paragraph")
    .filter({ hasText: id }).filter({ hasText: outcome }).last();
  await line.waitFor();
  return line.innerText();
}

async function describe(tab) {
  if (tab.page.isClosed()) return;
  const text = await tab.page.locator("body").innerText();
  console.error(`--- ${tab.page.url()}\n${text.slice(0, 4000)}`);
  console.error("--- noted:", tab.faults, tab.refused);
}

// Runs `tell(openTab, token)` as the whole program `node FILE URL TOKEN`.
export async function story(tell) {
  const [url, token] = process.argv.slice(2);
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  const tabs = [];
  const openTab = async ({ viewport = kDesktop, colorScheme = "light" } = {}) => {
    const context = await browser.newContext({ viewport, colorScheme });
    const tab = new Tab(await context.newPage(), url.replace(/\/*$/, "/"));
    tabs.push(tab);
    return tab;
  };
  try {
    await tell(openTab, token);
  } catch (error) {
    console.error(error);
    for (const tab of tabs) await describe(tab);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}
