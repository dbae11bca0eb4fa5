// From the first look to a command of each type carried out and found again. Users 1 and 2 have
// accounts with at least 100. page_test.cc knows the ids.
import assert from "node:assert/strict";
import { eventually, fillForm, sendAs, story } from "./browser.mjs";

const kCommands = [
  ["income", { userId: 1, sum: "12.345" }],
  ["withdraw", { userId: 1, sum: 2 }],
  ["transfer", { userId: 2, sum: 5, "details.userFromId": 1 }],
  ["lock", { userId: 2, sum: 2, "details.event": "lock", "details.uuid": "a hold" }],
].map(([type, fields], i) => ({ type, fields, id: `3f1c0000-0000-4000-8000-00000000000${i + 1}` }));

async function lookAround(tab) {
  await tab.open();
  assert.equal(await tab.page.title(), "Live · iq");
  await tab.says(/^All is well: \d+ process/);
  await tab.row("Queues", "billing.dead").waitFor();
  await tab.go("Plugins");
  for (const { type } of kCommands) {
    const card = tab.page.getByRole("article", { name: new RegExp(`^${type} \\d`) });
    await card.waitFor();
    assert.match(await card.innerText(), /serves/);
  }
  const transfer = tab.page.locator("details.schema").filter({ hasText: /^transfer by/ });
  await transfer.locator("summary").first().click();
  await transfer.getByText(/^user:\d+$/).first().waitFor();
}

async function seed(tab) {
  await tab.go("Send");
  await tab.button("Seed balances").click();
  assert.match(await tab.says(/^Opened/), /^Opened 197 accounts\.$/);
}

async function send(tab, { type, fields, id }) {
  await fillForm(tab, type, fields);
  await tab.button("Explain").click();
  await tab.page.getByRole("status", { name: "What iq says" })
    .filter({ hasText: new RegExp(`${type}/\\S+ would carry it out`) }).waitFor();
  const line = await sendAs(tab, id, "done");
  assert.ok(line.includes(type), line);
}

async function find(tab, { type, id }) {
  const { page } = tab;
  await tab.go("Commands");
  await page.getByLabel("Id", { exact: true }).fill(id);
  await tab.button("Search").click();
  await tab.says(/^1 command\.$/);
  await tab.row("Commands", id, type, "done").getByRole("link", { name: id }).click();
  await tab.heading(`Command ${id}`).waitFor();
  await tab.row("Life", "act", "tester did send: done").waitFor();
  await tab.row("Life", "outcome", "done").waitFor();
}

// The command's page is open, and is about one that came a second time. That is noted after its
// answer.
async function seeRepeat(tab) {
  await eventually("a repeat", async () => {
    await tab.button("Look again").click();
    return tab.row("Life", "repeat", "1 time").isVisible();
  });
}

await story(async (openTab, token) => {
  const tab = await openTab();
  await lookAround(tab);
  await tab.signIn(token, "tester, may write");
  await seed(tab);
  for (const command of kCommands) await send(tab, command);
  await send(tab, kCommands[2]);
  await find(tab, kCommands[2]);
  await seeRepeat(tab);
  await tab.go("Live");
  for (const { type } of kCommands) {
    await tab.row("Commands by type and outcome", type, "done").waitFor();
  }
  tab.expectQuiet();
});
