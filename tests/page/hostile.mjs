// What producers write is shown as text, wherever it is shown. page_test.cc has sent markup,
// scripts, control and right-to-left characters in every field that a producer chooses, and a body
// of 1 MiB.
import assert from "node:assert/strict";
import { eventually, fillJson, kPhone, story } from "./browser.mjs";

const kMarkup = "<img src=x onerror=\"window.__pwned=1\">";
const kLetters = 8; // Of page_test.cc.

// What a page has that took data for markup, ran it, or lost its shape by it.
function harm() {
  const found = [];
  const inject = "script, img, iframe, object, embed, style, link, base, meta, form[action], " +
    "a[href^='javascript:' i], a[href^='data:' i]";
  for (const node of document.body.querySelectorAll(inject)) found.push(node.outerHTML);
  for (const node of document.querySelectorAll("*")) {
    for (const { name } of node.attributes) if (/^on/i.test(name)) found.push(node.outerHTML);
  }
  if (window.__pwned !== undefined) found.push("a script ran");
  const text = [document.title, document.body.innerText];
  for (const name of ["title", "aria-label", "datetime"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) text.push(node.getAttribute(name));
  }
  const unseen =
    /.{0,20}[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069].{0,20}/su;
  for (const each of text) {
    const [raw] = unseen.exec(each) ?? [];
    if (raw) found.push(`not escaped: ${encodeURI(raw)}`);
  }
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) found.push(`${scrollWidth} wide in a window of ${innerWidth}`);
  return found.map((each) => each.slice(0, 300));
}

async function expectText(tab, ...texts) {
  const all = await tab.page.evaluate(() => document.body.innerText);
  for (const text of texts) assert.ok(all.includes(text), `there is no ${text}`);
  assert.deepEqual(await tab.page.evaluate(harm), [], tab.page.url());
}

async function hrefsIn(tab, caption, least) {
  const links = tab.table(caption).getByRole("link");
  await eventually(`${least} rows in ${caption}`, async () => (await links.count()) >= least);
  return links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
}

async function showCommands(tab) {
  await tab.visit("#/commands");
  const hrefs = await hrefsIn(tab, "Commands", 2);
  await expectText(tab, kMarkup, "\\u202e");
  for (const href of hrefs) {
    await tab.visit(href);
    await tab.table("Life").waitFor();
    for (const each of await tab.page.locator("main summary").all()) await each.click();
    await expectText(tab, kMarkup, "\\u202e");
  }
}

// Each click takes its own button away.
async function showAll(tab) {
  const buttons = tab.page.getByRole("button", { name: /^Show all/ });
  for (let left = await buttons.count(); left > 0; left -= 1) await buttons.first().click();
}

async function showLetters(tab) {
  await tab.visit("#/dead");
  const hrefs = await hrefsIn(tab, "Letters", kLetters);
  await tab.row("Groups", "unknown_type").waitFor();
  await expectText(tab, kMarkup, "\\u202e");
  for (const href of hrefs) {
    await tab.visit(href);
    await tab.table("Headers").first().waitFor();
    await expectText(tab, kMarkup, "\\u202e");
    await showAll(tab);
    await expectText(tab, kMarkup);
  }
}

async function sendMarkup(tab) {
  await tab.visit("#/send");
  const body = { type: `${kMarkup}\u202e`, [kMarkup]: kMarkup };
  await fillJson(tab, JSON.stringify(body));
  await tab.page.getByLabel("Message id", { exact: true }).fill(`sent ${kMarkup}\u202e`);
  await tab.button("Send").click();
  await tab.page.getByRole("status", { name: "What iq says" })
    .filter({ hasText: "unknown_type" }).waitFor();
  await tab.page.getByRole("log", { name: "Outcomes" }).getByText("unknown_type").first().waitFor();
  await expectText(tab, kMarkup, "\\u202e");
}

async function searchForMarkup(tab) {
  const key = encodeURIComponent(`${kMarkup}\u202e`);
  await tab.visit(`#/commands?key=${key}`);
  await tab.says(/^0 commands/);
  await expectText(tab);
  await tab.visit(`#/dead?code=${key}`);
  await tab.says(/dead letters? in the queue/);
  await expectText(tab);
  for (const view of ["commands", "dead"]) {
    await tab.visit(`#/${view}/${key}`);
    await tab.says(/of this (id|name)/);
    await expectText(tab);
  }
}

async function actOnMarkup(tab) {
  await tab.visit("#/dead");
  await tab.row("Groups", kMarkup).getByRole("button", { name: "Retry" }).first().click();
  await tab.says(/^Would retry/);
  await expectText(tab, kMarkup);
  await tab.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await tab.visit("#/live");
  await tab.row("Commands by type and outcome", "invalid").waitFor();
  await expectText(tab);
  await tab.visit("#/plugins");
  await tab.page.getByRole("article").first().waitFor();
  await tab.row("Crashes", "handle of 1 command").waitFor();
  await expectText(tab, kMarkup, "\\u202e");
}

await story(async (openTab, token) => {
  const tab = await openTab({ viewport: kPhone });
  await tab.open();
  await tab.says(/^All is well/);
  await tab.signIn(token, "tester, may write");
  await showCommands(tab);
  await showLetters(tab);
  await sendMarkup(tab);
  await searchForMarkup(tab);
  await actOnMarkup(tab);
  tab.expectQuiet(["404 GET /api/command", "404 GET /api/dead/letter"]);
});
