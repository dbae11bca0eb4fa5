// The last minutes of a few series as lines.
import { el, plain, svg } from "./dom.js";

const kWidth = 600;
const kHeight = 120;
const kGapMs = 5000;
export const kSpanMs = 300000;

function niceMax(value, least) {
  if (value <= least) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((candidate) => candidate >= value);
}

// Breaks the line where nobody was looking, and where there was nothing to tell.
function path(points, from, max) {
  let d = "";
  let last = -Infinity;
  for (const { at, value } of points) {
    if (value === null || value === undefined) {
      last = -Infinity;
      continue;
    }
    const x = ((at - from) / kSpanMs) * kWidth;
    const y = kHeight - (Math.min(value, max) / max) * kHeight;
    d += `${at - last > kGapMs ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    if (at - last > kGapMs) d += "h0.1";
    last = at;
  }
  return d;
}

function latest(series) {
  for (let i = series.points.length - 1; i >= 0; i -= 1) {
    const { value } = series.points[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

function legendEntry(series, index, words) {
  const swatch = svg("svg", { class: "swatch", viewBox: "0 0 20 8", "aria-hidden": "true" },
    svg("path", { class: `line ${series.tone || `s${index}`}`, d: "M0 4h20" }));
  return el("li", {}, swatch, el("bdi", {}, series.name), " ", el("b", {}, words));
}

// `format` makes words of a value, `least` is the smallest height of the scale.
export function plot(title, { format, least }) {
  const lines = svg("g");
  const grid = `M0 0H${kWidth}M0 ${kHeight / 2}H${kWidth}M0 ${kHeight}H${kWidth}`;
  const picture = svg("svg", {
    class: "plot", role: "img", viewBox: `0 -2 ${kWidth} ${kHeight + 4}`,
    preserveAspectRatio: "none", "aria-label": `${title}: nothing yet`,
  }, svg("path", { class: "grid", d: grid }), lines);
  const top = el("span", { class: "top" });
  const legend = el("ul", { class: "legend" });
  const node = el("figure", {}, el("figcaption", {}, title),
    el("div", { class: "frame" }, picture, top),
    el("div", { class: "axis", "aria-hidden": "true" },
      el("span", {}, "5 minutes ago"), el("span", {}, "now")), legend);

  // Each series: {name, tone, points: [{at, value}]}, with times in milliseconds.
  function draw(allSeries, now) {
    const from = now - kSpanMs;
    const highest = allSeries.reduce((most, series) =>
      series.points.reduce((high, point) => Math.max(high, point.value || 0), most), 0);
    const max = niceMax(highest, least);
    lines.replaceChildren(...allSeries.map((series, i) => svg("path", {
      class: `line ${series.tone || `s${i}`}`, d: path(series.points, from, max),
    })));
    top.textContent = format(max);
    const told = allSeries.map((series) => ({ series, words: format(latest(series)) }));
    legend.replaceChildren(...told.map(({ series, words }, i) => legendEntry(series, i, words)));
    const words = told.map(({ series, words: latestWords }) => `${series.name} ${latestWords}`);
    picture.setAttribute("aria-label", told.length === 0
      ? `${title}: nothing yet`
      : `${title}: now ${words.join(", ")}; at most ${format(highest)} in the last 5 minutes`);
  }

  return { node, draw };
}

// The name of a series that somebody else chose.
export function seriesName(raw) {
  return plain(raw, 40);
}
