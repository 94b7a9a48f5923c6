"use strict";
// Draws a link's rates with uPlot: download and upload against their limits, values under the pointer or the arrow keys.
(() => {
  const found = JSON.parse(document.getElementById("curves").textContent);
  const place = document.getElementById("chart");
  const value = document.getElementById("chart-value");
  const locale = found.language === "id" ? "id-ID" : "en-GB";
  const clock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", timeZone: found.zone });
  const number = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });

  function rate(bps) {
    if (bps == null) return "–";
    for (const [prefix, factor] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
      if (Math.abs(bps) >= 0.9995 * factor) return `${number.format(bps / factor)} ${prefix}bps`;
    }
    return `${number.format(bps)} bps`;
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function line(direction, dashed) {
    const word = found.words[direction];
    return {
      label: dashed ? `${found.words.limit} (${word})` : word,
      stroke: colour(direction),
      width: dashed ? 1 : 1.75,
      dash: dashed ? [6, 4] : undefined,
      fill: !dashed && direction === "down" ? `${colour("down")}33` : undefined,
      points: { show: false },
      value: (_, bps) => rate(bps),
    };
  }

  function options() {
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    return {
      width: place.clientWidth,
      height: 320,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), found.zone),
      fmtDate: (template) => uPlot.fmtDate(template, names()),
      cursor: { drag: { x: true, y: false } },
      scales: { y: { range: (_, least, most) => [0, Math.max(most, 1) * 1.05] } },
      axes: [
        { ...axis, values: times() },
        { ...axis, size: 78, values: (_, ticks) => ticks.map(rate) },
      ],
      series: [
        { label: found.words.time, value: (_, seconds) => (seconds == null ? "–" : clock.format(seconds * 1000)) },
        line("down", false),
        line("up", false),
        line("down", true),
        line("up", true),
      ],
    };
  }

  function names() {
    const of = (options, dates) => dates.map((date) => new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(date));
    const months = Array.from({ length: 12 }, (_, month) => new Date(Date.UTC(2026, month, 1)));
    const days = Array.from({ length: 7 }, (_, day) => new Date(Date.UTC(2026, 1, 1 + day))); // 1 February 2026 is a Sunday
    return { MMMM: of({ month: "long" }, months), MMM: of({ month: "short" }, months), WWWW: of({ weekday: "long" }, days), WWW: of({ weekday: "short" }, days) };
  }

  // Rows as uPlot asks for them: least step, format, then what is added where year, day or hour turns.
  function times() {
    const day = "\n{D} {MMM}";
    return [
      [86400 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
      [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
      [60, "{HH}:{mm}", day, null, day, null, null, null, 1],
      [1, "{HH}:{mm}:{ss}", day, null, day, null, null, null, 1],
    ];
  }

  let chart;
  function draw() {
    if (chart) chart.destroy();
    chart = new uPlot(options(), [found.at, found.rates.down, found.rates.up, found.limits.down, found.limits.up], place);
  }

  function read(index) {
    const within = Math.max(0, Math.min(found.at.length - 1, index));
    chart.setCursor({ left: chart.valToPos(found.at[within], "x"), top: 0 });
    value.textContent = [
      clock.format(found.at[within] * 1000),
      `${found.words.down} ${rate(found.rates.down[within])}`,
      `${found.words.up} ${rate(found.rates.up[within])}`,
    ].join(", ");
  }

  place.addEventListener("keydown", (event) => {
    const now = chart.cursor.idx ?? found.at.length;
    const target = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: found.at.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    read(target);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => chart && chart.setSize({ width: place.clientWidth, height: 320 })).observe(place);
  draw();
})();
