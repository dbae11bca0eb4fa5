// What happens now: a stream of pulses, one a second, for as long as this view is seen.
import { events, post } from "./api.js";
import { actHint, act, button, el, moments, notice, number, state, table, text } from "./dom.js";
import { openJob } from "./job.js";
import { kSpanMs, plot, seriesName } from "./plot.js";
import { count, duration, latency, plural, rate } from "./text.js";

const kOutcomes = ["done", "rejected", "invalid", "retry", "failed"];
const kTypesMax = 5;
const kAgainMs = 2000;

// A process that does not answer tells neither its faults nor its workers.
function known(process) {
  return { ...process, faults: process.faults ?? [], workers: process.workers ?? [] };
}

function readable(pulse) {
  return { ...pulse, time: Date.parse(pulse.at), processes: pulse.processes.map(known) };
}

function perSecond(pulse, takes) {
  const sum = pulse.commands.filter(takes).reduce((total, entry) => total + entry.count, 0);
  return sum / (pulse.seconds || 1);
}

function series(pulses, name, tone, valueOf) {
  return { name, tone, points: pulses.map((pulse) => ({ at: pulse.time, value: valueOf(pulse) })) };
}

function byOutcome(pulses) {
  return kOutcomes.map((outcome) => series(pulses, outcome, outcome,
    (pulse) => perSecond(pulse, (entry) => entry.outcome === outcome)));
}

function typesByWeight(pulses) {
  const weights = new Map();
  for (const pulse of pulses) {
    for (const { type, count: n } of pulse.commands) {
      weights.set(type, (weights.get(type) || 0) + n);
    }
  }
  return [...weights.keys()].sort((a, b) => weights.get(b) - weights.get(a) || (a < b ? -1 : 1));
}

function byType(pulses) {
  const types = typesByWeight(pulses);
  const shown = types.slice(0, kTypesMax).sort();
  const lines = shown.map((type) => series(pulses, seriesName(type) || "(no type)", null,
    (pulse) => perSecond(pulse, (entry) => entry.type === type)));
  if (types.length > kTypesMax) {
    lines.push(series(pulses, "others", null,
      (pulse) => perSecond(pulse, (entry) => !shown.includes(entry.type))));
  }
  return lines;
}

function depth(pulse, kind) {
  const ready = pulse.queues.filter((queue) => queue.kind === kind && queue.ready !== null);
  return ready.length === 0 ? null : ready.reduce((sum, queue) => sum + queue.ready, 0);
}

function byQueue(pulses) {
  const kinds = [["commands", "s0", "waiting"], ["delay", "s1", "delayed"],
    ["dead", "failed", "dead letters"]];
  return kinds.map(([kind, tone, name]) =>
    series(pulses, name, tone, (pulse) => depth(pulse, kind)));
}

const kPlots = [
  ["Commands a second by outcome", rate, 10, byOutcome],
  ["Commands a second by type", rate, 10, byType],
  ["Latency", latency, 0.005, (pulses) => [
    series(pulses, "p50", "s0", (pulse) => pulse.latency.p50),
    series(pulses, "p95", "s1", (pulse) => pulse.latency.p95),
    series(pulses, "p99", "s2", (pulse) => pulse.latency.p99)]],
  ["Batch size", rate, 4, (pulses) => [
    series(pulses, "mean", "s0", (pulse) => pulse.batch.mean),
    series(pulses, "at most", "s1", (pulse) => pulse.batch.max)]],
  ["Queue depth", count, 10, byQueue],
];

function plots() {
  const all = kPlots.map(([title, format, least, seriesOf]) => {
    const words = (value) => (value === null || value === undefined ? "nothing" : format(value));
    return { ...plot(title, { format: words, least }), seriesOf };
  });
  return {
    node: el("div", { class: "plots" }, ...all.map(({ node }) => node)),
    draw: (pulses, now) => all.forEach(({ draw, seriesOf }) => draw(seriesOf(pulses), now)),
  };
}

// The figures at the top. Each is a label and what to say of a pulse.
const kFigures = [
  ["commands a second", (pulse) => rate(perSecond(pulse, () => true))],
  ["median latency", (pulse) => latency(pulse.latency.p50)],
  ["waiting", (pulse) => count(depth(pulse, "commands"))],
  ["delayed", (pulse) => count(depth(pulse, "delay"))],
  ["dead letters", (pulse) => count(depth(pulse, "dead"))],
  ["journal rows", (pulse) => (pulse.journal ? count(pulse.journal.rows) : "–")],
  ["oldest row", (pulse) => (pulse.journal ? duration(pulse.journal.oldestSeconds) : "–")],
];

function figures() {
  const values = kFigures.map(() => el("dd", {}, "–"));
  const node = el("dl", { class: "figures" },
    ...kFigures.map(([name], i) => el("div", {}, el("dt", {}, name), values[i])));
  return {
    node,
    fill: (pulse) => kFigures.forEach(([, say], i) => {
      const words = say(pulse);
      if (values[i].textContent !== words) values[i].textContent = words;
    }),
  };
}

function since(pulses, seconds) {
  const from = pulses[pulses.length - 1].time - seconds * 1000;
  return pulses.filter((pulse) => pulse.time > from);
}

function totals(pulses) {
  const sums = new Map();
  for (const pulse of pulses) {
    for (const { type, outcome, count: n } of pulse.commands) {
      const key = JSON.stringify([type, outcome]);
      sums.set(key, (sums.get(key) || 0) + n);
    }
  }
  return sums;
}

function commandRows(pulses) {
  const now = pulses[pulses.length - 1];
  const [current, minute, all] = [totals([now]), totals(since(pulses, 60)), totals(pulses)];
  return [...all.keys()].sort().map((key) => {
    const [type, outcome] = JSON.parse(key);
    return [text(type), state(outcome), rate((current.get(key) || 0) / (now.seconds || 1)),
      count(minute.get(key) || 0), count(all.get(key))];
  });
}

function besides(pulse) {
  return [
    [pulse.repeated, "repeated"], [pulse.retries, "put off"],
    [pulse.deadLetters, "became dead letters"], [pulse.withoutId, "without an id"],
  ].filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`).join(", ");
}

function workerRows(processes) {
  return processes.flatMap((process) => process.workers.map((worker) => [
    String(process.pid), text(worker.queue),
    worker.blocked ? "blocked by the broker" : worker.consuming ? "consuming" : "not consuming",
    count(worker.inFlight), count(worker.unconfirmed), duration(worker.silentSeconds),
  ]));
}

function processRows(processes) {
  return processes.map((process) => [
    String(process.pid), text(process.address),
    state(process.answers ? process.phase : "does not answer"),
    text(process.faults.join("; ") || (process.answers ? "none" : "")), text(process.version),
    moments(process.startedAt), String(process.workers.length),
  ]);
}

function serverRows(servers) {
  return servers.map((server) => [text(server.name), state(server.away ? "away" : "reachable"),
    server.away ? text(server.reason) : "it answers"]);
}

function queueRows(queues) {
  return queues.map((queue) => [text(queue.name), text(queue.kind),
    queue.ready === null ? "no such queue" : count(queue.ready), count(queue.consumers)]);
}

function jobRows(jobs, signal, says) {
  return jobs.map((job) => [text(job.id), text(job.kind + (job.dryRun ? ", dry run" : "")),
    state(job.state), count(job.acted), `${count(job.looked)} of ${count(job.size)}`, text(job.who),
    moments(job.startedAt), text(job.message),
    { key: `job ${job.id} ${job.state}`, make: () => jobButtons(job, signal, says) }]);
}

function jobButtons(job, signal, says) {
  const open = button("Open", () => openJob(job));
  if (job.state !== "running") return open;
  const stop = button("Stop", () => act(stop, says, async () => {
    await post(`jobs/${encodeURIComponent(job.id)}/stop`, {}, signal);
    says.good("It stops once those in hand are done.");
  }));
  return el("span", { class: "buttons" }, open, stop);
}

function tables(signal) {
  const says = notice();
  const all = {
    commands: table("Commands by type and outcome", ["Type", "Outcome", number("A second"),
      number("Last minute"), number("Last 5 minutes")], "No command in the last 5 minutes."),
    queues: table("Queues", ["Queue", "For", number("Waiting"), number("Consumers")]),
    servers: table("Servers", ["Server", "State", "In words"]),
    processes: table("Processes", ["Process", "Address", "State", "Faults", "Version", "Since",
      number("Workers")], "No host runs on this machine."),
    workers: table("Workers", ["Process", "Queue", "State", number("In flight"),
      number("Unconfirmed"), number("Silent for")]),
    jobs: table("Jobs", ["Job", "Kind", "State", number("Letters"), "Looked at", "Who", "Started",
      "Message", "Acts"], "No retry or drop in the last hour."),
  };
  const fill = (pulses) => {
    const now = pulses[pulses.length - 1];
    all.commands.fill(commandRows(pulses));
    all.queues.fill(queueRows(now.queues));
    all.servers.fill(serverRows(now.servers));
    all.processes.fill(processRows(now.processes));
    all.workers.fill(workerRows(now.processes));
    all.jobs.fill(jobRows(now.jobs, signal, says));
  };
  const { commands, queues, servers, processes, workers, jobs } = all;
  const node = el("div", { class: "tables" }, servers.node, queues.node, commands.node,
    processes.node, workers.node, jobs.node, says.node, actHint());
  return { node, fill };
}

// Follows the stream while the tab is seen. `on` gets what comes, `tell` how the stream does.
function follow(signal, on, tell) {
  let running = null;
  let again = 0;

  async function run(mine) {
    try {
      for await (const event of events("live", mine.signal)) on(event);
      tell("The stream ended; trying again.");
    } catch (error) {
      if (error.name === "AbortError" || mine.signal.aborted) return;
      tell(`${error.message} Trying again.`);
    }
    again = setTimeout(start, kAgainMs);
  }

  function start() {
    stop();
    if (document.hidden || signal.aborted) return;
    running = new AbortController();
    run(running);
  }

  function stop() {
    clearTimeout(again);
    if (running) running.abort();
    running = null;
  }

  const turn = () => {
    if (document.hidden) tell("Paused while this tab is hidden.");
    start();
  };
  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", stop);
  start();
}

export function show(root, { signal }) {
  const status = el("p", { class: "status", role: "status" }, "Waiting for the first second…");
  const extra = el("p", { class: "note" });
  const [top, pictures, rows] = [figures(), plots(), tables(signal)];
  let pulses = [];

  function on({ name, data }) {
    if (name === "past") pulses = data.map(readable);
    else if (name === "pulse") pulses.push(readable(data));
    if (pulses.length === 0) return;
    const now = pulses[pulses.length - 1];
    pulses = pulses.filter((pulse) => pulse.time > now.time - kSpanMs);
    top.fill(now);
    pictures.draw(pulses, now.time);
    rows.fill(pulses);
    say(inWords(now));
    const words = besides(now);
    extra.textContent = words ? `This second: ${words}.` : "";
  }

  function say(words) {
    if (status.textContent !== words) status.textContent = words;
  }

  root.append(el("h2", { tabindex: "-1" }, "Live"), status, top.node, extra, pictures.node,
    rows.node);
  follow(signal, on, say);
}

// One sentence that changes seldom: a screen reader says it each time.
function inWords(pulse) {
  const away = pulse.servers.filter((server) => server.away).length;
  const silent = pulse.processes.filter((process) => !process.answers).length;
  const faults = pulse.processes.filter((process) => process.faults.length > 0).length;
  if (pulse.processes.length === 0) return "No host runs on this machine.";
  const words = [
    away > 0 && `${plural(away, "server")} away`,
    silent > 0 && `${plural(silent, "process", "processes")} without an answer`,
    faults > 0 && `${plural(faults, "process", "processes")} with faults`,
  ].filter(Boolean);
  const all = plural(pulse.processes.length, "process", "processes");
  if (words.length > 0) return `${all}: ${words.join(", ")}.`;
  return `All is well: ${all}, every server answers.`;
}
