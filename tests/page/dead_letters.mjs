// Dead letters of each kind; one is mended, and the retry of a large group is stopped on its way.
// User 1 has 100, and the type "mystery" has thousands of letters. page_test.cc knows the ids.
import assert from "node:assert/strict";
import { eventually, fillForm, fillJson, sendAs, story } from "./browser.mjs";

const id = (n) => `3f1c0000-0000-4000-8000-0000000000d${n}`;
const kPoor = { id: id(1), code: "insufficient_funds", outcome: "rejected" };
const kBad = [
  { id: id(2), code: "schema", body: '{"type":"income","userId":0,"sum":1}' },
  { id: id(3), code: "unknown_type", body: '{"type":"no.such.type"}' },
  { id: id(4), code: "malformed", body: '{"type":"income",' },
];

const kAskAgainMs = 500; // As job.js does.

async function makeLetters(tab) {
  await tab.go("Send");
  await fillForm(tab, "withdraw", { userId: 1, sum: 900000 });
  assert.ok((await sendAs(tab, kPoor.id, kPoor.outcome)).includes(kPoor.code));
  for (const { id: bad, code, body } of kBad) {
    await fillJson(tab, body);
    const line = await sendAs(tab, bad, "invalid");
    assert.ok(line.includes(code), line);
    await tab.page.getByRole("status", { name: "What iq says" })
      .filter({ hasText: code }).waitFor();
  }
}

// Letters that a look holds are on their way back for a moment.
async function showLetters(tab, code, ...texts) {
  await tab.visit("#/dead");
  await tab.says(/dead letters? in the queue/);
  await tab.page.getByLabel("Code", { exact: true }).fill(code);
  await eventually(`a group with ${code}, ${texts}`, async () => {
    await tab.button("Filter").click();
    await tab.says(/dead letters? in the queue/);
    return tab.row("Groups", code, ...texts).isVisible();
  });
}

async function mend(tab) {
  await showLetters(tab, kPoor.code, "withdraw");
  await tab.table("Letters").getByRole("link", { name: kPoor.id }).click();
  const editor = tab.page.getByLabel("Body", { exact: true });
  const body = await editor.inputValue();
  assert.match(body, /900000/);
  await editor.fill(body.replace("900000", ""));
  await tab.button("Retry with this body").click();
  await tab.says(/nothing was changed/);
  await editor.fill(body.replace("900000", "1"));
  await tab.button("Retry with this body").click();
  await tab.says(/^It is in billing again, and its rejection has left the journal\.$/);
  await tab.visit(`#/commands/${kPoor.id}`);
  await eventually("the mended command is done", async () => {
    await tab.button("Look again").click();
    return tab.row("Life", "outcome", "done").isVisible();
  });
  await tab.row("Life", "act", "tester did edit: done").waitFor();
  await tab.row("Life", "act", "tester did edit: failed").waitFor();
}

const number = (text) => Number(text.replaceAll(",", ""));

async function stopHalfWay(tab) {
  await showLetters(tab, "unknown_type", "mystery");
  await tab.row("Groups", "mystery").getByRole("button", { name: "Retry" }).click();
  const dialog = tab.page.getByRole("dialog");
  const [, size] = /^Would retry (\S+) of/.exec(await tab.says(/^Would retry/));
  // The page waits before it asks how far the retry is. A fast machine would be through by then.
  await tab.page.clock.install();
  await dialog.getByRole("button", { name: `Retry ${size}`, exact: true }).click();
  await eventually("the retry is on its way", async () => {
    await tab.page.clock.fastForward(kAskAgainMs);
    return dialog.getByText(/^Retrying: [1-9]/).isVisible();
  }, 10);
  await dialog.getByRole("button", { name: "Stop", exact: true }).click();
  const said = await tab.says(/^(Stopped|Retried|Failed)/);
  const [, acted] = /^Stopped: retried (\S+), the others are as they were\./.exec(said) ?? [];
  assert.ok(acted, `it should have been stopped: ${said}`);
  assert.ok(number(acted) > 0 && number(acted) < number(size), `${acted} of ${size}`);
  await dialog.getByRole("button", { name: "Close", exact: true }).click();
  await tab.row("Acts", "tester", "retry", "stopped", acted.replaceAll(",", "")).waitFor();
}

await story(async (openTab, token) => {
  const tab = await openTab();
  await tab.open();
  await tab.signIn(token, "tester, may write");
  await makeLetters(tab);
  for (const { code } of kBad) await showLetters(tab, code);
  await mend(tab);
  await stopHalfWay(tab);
  tab.expectQuiet(["409 POST /api/dead/edit"]);
});
