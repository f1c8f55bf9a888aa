// Draws the power of the last 24 hours with uPlot, and again each minute. The table beside it says the same.
"use strict";

const chart = document.getElementById("chart");
const AGAIN_MS = 60000;
const EMPTY_AGAIN_MS = 15000;

function draw(place) {
  const { points, lang, zone, ...words } = place.dataset;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const time = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });
  const number = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
  const grid = { stroke: colour("--line"), width: 1 };
  let plot;

  const options = (unit) => ({
    width: place.clientWidth,
    height: 240,
    // A new gateway has minutes only: an hour is the least that is shown.
    scales: { x: { range: (_, first, last) => [Math.min(first, last - 3600), last] }, y: { range: (_, low, high) => [0, Math.max(100, (high || 0) * 1.1)] } },
    axes: [
      { stroke: colour("--quiet"), grid, values: (_, ticks) => ticks.map((at) => time.format(at * 1000)) },
      { stroke: colour("--quiet"), grid, size: 70, values: (_, ticks) => ticks.map((value) => `${number.format(value / 1000)} k${unit}`) },
    ],
    series: [
      { value: (_, at) => (at === null ? "–" : time.format(at * 1000)), label: words.time },
      { label: words.label, stroke: colour("--accent"), fill: colour("--accent") + "22", width: 2, spanGaps: false, points: { show: false },
        value: (_, value) => (value === null ? "–" : `${number.format(value / 1000)} k${unit}`) },
    ],
  });

  async function load() {
    const answer = await fetch(points);
    const found = answer.ok && !answer.redirected ? await answer.json() : null;
    if (!found || !found.t.length) return;
    if (plot) plot.setData([found.t, found.v]);
    else plot = new uPlot(options(found.unit), [found.t, found.v], place);
  }

  const again = () => load().catch(() => {}); // the page itself tells that the gateway is out of reach
  new ResizeObserver(() => plot && plot.setSize({ width: place.clientWidth, height: 240 })).observe(place);
  again();
  setInterval(again, AGAIN_MS);
}

// With the first minute there is something to draw, and a table: the page is loaded anew, but never under one's hands.
async function wait(place) {
  const answer = await fetch(place.dataset.points);
  const found = answer.ok && !answer.redirected ? await answer.json() : null;
  if (found && found.t.length && !document.querySelector("details[open]")) location.reload();
}

if (chart && chart.dataset.empty === undefined) draw(chart);
else if (chart) setInterval(() => wait(chart).catch(() => {}), EMPTY_AGAIN_MS);
