// What axe finds in each view, in light and dark; how soon the page is there, and how large it is.
import assert from "node:assert/strict";
import axe from "axe-core";
import { kDesktop, kPhone, kSchemes, story } from "./browser.mjs";
import { closeDialog, kViews } from "./views.mjs";

// Ten times what it takes on a machine that has nothing else to do: what is printed is what counts.
const kFirstPaintMs = 2000;
const kFilledMs = 10_000; // With what the first second of the stream tells.
const kBytes = 150 * 1024;
const kColdLoads = 5; // The machine may be busy with something else: the best one counts.

async function graveFaults(tab) {
  await tab.page.evaluate(axe.source);
  const { violations } = await tab.page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ html, any }) =>
      `${html.slice(0, 200)} ${any.map(({ message }) => message).join("; ")}`).slice(0, 5) }));
}

// All there is to mend, by view.
async function judge(tab, size, schemes) {
  const found = {};
  await tab.open();
  for (const [name, show] of kViews) {
    await show(tab);
    for (const scheme of schemes) {
      await tab.scheme(scheme);
      const faults = await graveFaults(tab);
      if (faults.length > 0) found[`${name}, ${size}, ${scheme}`] = faults;
    }
    await closeDialog(tab);
  }
  tab.expectQuiet();
  return found;
}

function firstPaintOf(page) {
  return page.evaluate(() => new Promise((resolve) => {
    new PerformanceObserver((list) => {
      const paint = list.getEntriesByName("first-contentful-paint")[0];
      if (paint) resolve(paint.startTime);
    }).observe({ type: "paint", buffered: true });
  }));
}

// With nothing in the browser's cache, and with a process of the browser that stands by for the
// host: to start one takes as long again as the page. The stream has no end: it is what comes after
// the page.
async function coldLoad(openTab) {
  const tab = await openTab();
  await tab.page.goto(`${tab.url}livez`);
  const finished = [];
  tab.page.on("requestfinished", (request) => finished.push(request.sizes()));
  await tab.open();
  const firstPaint = await firstPaintOf(tab.page);
  await tab.says(/^All is well/);
  const filled = await tab.page.evaluate(() => performance.now());
  const sizes = await Promise.all(finished);
  const bytes = sizes.reduce((sum, { responseHeadersSize, responseBodySize }) =>
    sum + responseHeadersSize + responseBodySize, 0);
  tab.expectQuiet();
  await tab.page.context().close();
  return { firstPaint, filled, bytes, files: sizes.length };
}

function expectQuickAndSmall(loads) {
  console.log(loads);
  const best = Math.min(...loads.map(({ firstPaint }) => firstPaint));
  assert.ok(best < kFirstPaintMs, `the first paint came after ${best} ms`);
  const soonest = Math.min(...loads.map(({ filled }) => filled));
  assert.ok(soonest < kFilledMs, `it was filled after ${soonest} ms`);
  for (const { bytes, files } of loads) {
    assert.ok(files > 1, "the page has files");
    assert.ok(bytes < kBytes, `a cold load is ${bytes} bytes`);
  }
}

await story(async (openTab) => {
  const found = {};
  const sizes = [["desktop", kDesktop, kSchemes], ["phone", kPhone, ["light"]]];
  for (const [size, viewport, schemes] of sizes) {
    const tab = await openTab({ viewport });
    Object.assign(found, await judge(tab, size, schemes));
    await tab.page.context().close();
  }
  if (Object.keys(found).length > 0) console.error(JSON.stringify(found, null, 1));
  assert.deepEqual(Object.keys(found), [], "views with faults");
  const loads = [];
  for (let i = 0; i < kColdLoads; i += 1) loads.push(await coldLoad(openTab));
  expectQuickAndSmall(loads);
});
