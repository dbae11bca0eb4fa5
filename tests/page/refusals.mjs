// Whoever has no token, or one that may only read, sees everything and changes nothing. TOKEN is
// reader's; there is one dead letter, "a letter".
import { story } from "./browser.mjs";

async function tryToAct(tab, sentence) {
  await tab.go("Send");
  await tab.button("Seed balances").click();
  await tab.says(sentence);
  await tab.button("Send").click();
  await tab.says(sentence);

  await tab.visit("#/dead/a%20letter");
  const editor = tab.page.getByLabel("Body", { exact: true });
  await editor.fill((await editor.inputValue()).replace("900000", "1"));
  await tab.button("Retry with this body").click();
  await tab.says(sentence);

  await tab.go("Dead letters");
  await tab.row("Letters", "a letter").waitFor();
  for (const act of ["Retry", "Drop"]) {
    await tab.button(`${act} all`).click();
    const dialog = tab.page.getByRole("dialog");
    await dialog.getByRole("button", { name: `${act} 1`, exact: true }).click();
    await dialog.getByRole("status").filter({ hasText: sentence }).waitFor();
    await dialog.getByRole("button", { name: "Close", exact: true }).click();
  }
  await tab.row("Letters", "a letter").waitFor();
}

async function tryAWrongToken(tab) {
  await tab.button("Sign in").click();
  const dialog = tab.page.getByRole("dialog", { name: "Sign in" });
  await dialog.getByLabel("Token", { exact: true }).fill("a guess");
  await dialog.getByRole("button", { name: "Use this token" }).click();
  await dialog.getByRole("alert").filter({ hasText: /token is not known/ }).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
}

const kActs = ["seed", "send", "dead/edit", "dead/retry", "dead/drop"];
const refusedWith = (status) => kActs.map((act) => `${status} POST /api/${act}`);

await story(async (openTab, token) => {
  const stranger = await openTab();
  await stranger.open();
  await stranger.page.getByText("read only", { exact: true }).waitFor();
  await tryToAct(stranger, /to act, sign in with a token/);
  await tryAWrongToken(stranger);
  stranger.expectQuiet([...refusedWith(401), "401 GET /api/session"]);

  const reader = await openTab();
  await reader.open();
  await reader.signIn(token, "reader, read only");
  await tryToAct(reader, /the token "reader" may only read/);
  reader.expectQuiet(refusedWith(403));
});
