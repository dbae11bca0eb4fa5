// Pictures of each view for people to look at, in the folder IQ_PAGE_SCREENSHOTS; none without it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { kDesktop, kPhone, kSchemes, story } from "./browser.mjs";
import { closeDialog, kViews } from "./views.mjs";

const folder = process.env.IQ_PAGE_SCREENSHOTS;

async function picture(openTab, token, size, viewport) {
  const tab = await openTab({ viewport });
  await tab.open();
  for (const [name, show] of kViews) {
    await show(tab);
    for (const scheme of kSchemes) {
      await tab.scheme(scheme);
      const file = `${name.replaceAll(" ", "-")}-${size}-${scheme}.png`;
      await tab.page.screenshot({ path: join(folder, file), fullPage: true });
    }
    await closeDialog(tab);
  }
  await tab.signIn(token, "tester, may write");
  await tab.page.screenshot({ path: join(folder, `signed-in-${size}.png`), fullPage: true });
}

if (folder) {
  await mkdir(folder, { recursive: true });
  await story(async (openTab, token) => {
    await picture(openTab, token, "desktop", kDesktop);
    await picture(openTab, token, "phone", kPhone);
  });
}
