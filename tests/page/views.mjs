// The page's views, each with something in it.
import { eventually } from "./browser.mjs";

async function linkIn(tab, caption) {
  const link = tab.table(caption).getByRole("link").first();
  await link.waitFor();
  return link.getAttribute("href");
}

async function openDialog(tab) {
  await tab.visit("#/dead");
  await tab.button("Retry all").click();
  await tab.says(/^Would retry [1-9]/);
}

export async function closeDialog(tab) {
  const close = tab.page.getByRole("dialog").getByRole("button", { name: /^(Close|Cancel)$/ });
  if (await close.isVisible()) await close.click();
}

// [name, how to get there]
export const kViews = [
  ["live", async (tab) => {
    await tab.visit("#/live");
    await tab.row("Processes", "serving").waitFor();
  }],
  ["plugins", async (tab) => {
    await tab.visit("#/plugins");
    await tab.page.getByRole("article").first().waitFor();
    for (const each of await tab.page.locator("main details.schema").all()) {
      await each.evaluate((node) => node.setAttribute("open", ""));
    }
  }],
  ["commands", async (tab) => {
    await tab.visit("#/commands");
    await linkIn(tab, "Commands");
  }],
  ["command", async (tab) => {
    await tab.visit("#/commands");
    await tab.visit(await linkIn(tab, "Commands"));
    await tab.table("Life").waitFor();
  }],
  ["dead letters", async (tab) => {
    await tab.visit("#/dead");
    await linkIn(tab, "Letters");
    await eventually("groups", async () =>
      (await tab.table("Groups").getByRole("row").count()) > 1);
  }],
  ["dead letter", async (tab) => {
    await tab.visit("#/dead");
    await tab.visit(await linkIn(tab, "Letters"));
    await tab.table("Headers").first().waitFor();
  }],
  ["send", async (tab) => {
    await tab.visit("#/send/transfer");
    await tab.page.getByLabel("details.userFromId", { exact: true }).waitFor();
    await tab.button("Explain").click();
    await tab.page.getByRole("status", { name: "What iq says" })
      .filter({ hasText: /\w/ }).waitFor();
  }],
  ["job", openDialog],
  ["sign in", async (tab) => {
    await tab.visit("#/live");
    await tab.button("Sign in").click();
    await tab.page.getByRole("dialog", { name: "Sign in" }).waitFor();
  }],
];
