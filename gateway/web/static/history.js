// Draws the past as bars with uPlot: what is known for good, and beside it what is estimated or that much at least.
// Where nothing is known there is no bar. The table beneath says the same.
"use strict";

const past = document.getElementById("past");

async function draw(place) {
  const { points, by, lang, zone, ...words } = place.dataset;
  const answer = await fetch(points);
  const found = answer.ok && !answer.redirected ? await answer.json() : null;
  if (!found || !found.t.length) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const how = { hour: { day: "2-digit", month: "short", hour: "2-digit", hourCycle: "h23" }, day: { day: "2-digit", month: "short", year: "2-digit" }, month: { month: "short", year: "numeric" } }[by];
  const time = new Intl.DateTimeFormat(lang, { ...how, timeZone: zone });
  const short = new Intl.DateTimeFormat(lang, { ...(by === "month" ? { month: "short", year: "2-digit" } : { day: "2-digit", month: "short" }), timeZone: zone });
  const number = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
  const told = (_, value) => (value === null ? "–" : `${number.format(value)} ${found.unit}`);
  const grid = { stroke: colour("--line"), width: 1 };
  const step = { hour: 3600, day: 86400, month: 30 * 86400 }[by];
  const bars = uPlot.paths.bars({ size: [0.8, 40], align: 1 });
  const series = (label, name) => ({ label, stroke: colour(name), fill: colour(name), width: 0, paths: bars, points: { show: false }, value: told });
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: 260,
      scales: { x: { range: (_, first, last) => [first, last + step] }, y: { range: (_, low, high) => [Math.min(0, low || 0), Math.max(0.001, (high || 0) * 1.1)] } },
      axes: [
        { stroke: colour("--quiet"), grid, space: 70, values: (_, ticks) => ticks.map((at) => short.format(at * 1000)) },
        { stroke: colour("--quiet"), grid, size: 80, values: (_, ticks) => ticks.map((value) => `${number.format(value)} ${found.unit}`) },
      ],
      series: [{ value: (_, at) => (at === null ? "–" : time.format(at * 1000)), label: words.time }, series(words.label, "--accent"), series(words.vague, "--warn")],
    },
    [found.t, found.v, found.w],
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 260 })).observe(place);
}

if (past) draw(past).catch(() => {}); // the table says it all
