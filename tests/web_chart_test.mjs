// SPDX-License-Identifier: Apache-2.0
// LABELS: process
// What a chart computes, without a browser: gaps, alignment, axes, limits, findings, CSV and SVG.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { bundled, noBundle, ROOT } from "./web_kit.mjs";

/** The tokens of the style sheet, as a page would tell them. */
function tokensOf(css) {
  const tokens = [":root,", ':root[data-theme="dark"],'].map((start) => {
    const block = css.slice(css.indexOf(start), css.indexOf("}", css.indexOf(start)));
    return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((m) => [m[1], m[2]]));
  });
  return (name, dark) => (tokens[Number(dark)][name] ?? tokens[0][name] ?? "").replace("var(--tint)", tokens[0].tint);
}

describe("charts: what they compute", { skip: noBundle || false }, () => {
  let c;
  before(async () => {
    c = await bundled({
      ...Object.fromEntries(["gaps", "model", "ticks", "csv", "svg"].map((n) => [`ui/chart/${n}.ts`, "*"])),
      "format.ts": "* as format",
      "api/columns.ts": "Values",
      "api/history.ts": "seriesOf, fetchChanges",
      "views/twin/finding.ts": "*",
      "views/twin/limits.ts": "*",
      "views/twin/states.tsx": "piecesOf, sharesOf, saidOf, stripOf, inksOf",
      "views/twin/rows.ts": "sorted, nextSort",
      "ui/tokens.ts": "hexOf, readTokensFrom, token",
    });
    c.readTokensFrom(tokensOf(readFileSync(join(ROOT, "web", "src", "styles", "tokens.css"), "utf8")));
  });

  const line = (more) => ({ label: "Power", unit: "kilowatt", time: [0, 10, 20], value: [1, 2, 3], ...more });

  test("a token is the same colour for a canvas as for the style sheet", () => {
    assert.equal(c.hexOf("oklch(100% 0 0)"), "#ffffff");
    assert.equal(c.hexOf("oklch(62.8% 0.2577 29.23)"), "#ff0000");
    assert.equal(c.hexOf("oklch(0% 0 0 / 0.5)"), "#00000080");
    assert.equal(c.token("c0", false), "#0072b2"); // Okabe and Ito's blue
    assert.equal(c.token("n1", true), "#111a1d");
    assert.equal(c.token("nothing", true), "");
  });

  test("a silence is a gap when the source usually speaks more often", () => {
    const steady = Array.from({ length: 60 }, (_, i) => i);
    const longest = c.patience(steady);
    assert.ok(longest >= 3 && longest <= 6, `${longest}`);
    const time = [...steady, 100, 101];
    const g = c.withGaps(time, [time.map(() => 1)], longest);
    assert.deepEqual(g.columns[0].filter((v) => v === null).length, 1);
    const at = g.columns[0].indexOf(null);
    assert.ok(g.time[at] > 59 && g.time[at] < 100);
    // Who speaks by chance has long silences: they are no gaps.
    let t = 0;
    let seed = 7;
    const chance = Array.from({ length: 400 }, () => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return (t += -Math.log(1 - seed / 2147483648) * 10);
    });
    const by = c.withGaps(chance, [chance.map(() => 1)], c.patience(chance));
    assert.ok(by.columns[0].filter((v) => v === null).length <= 3);
    assert.equal(c.patience([1, 2]), 0, "of two values nothing can be said");
    assert.equal(c.patienceOfSteps(60, [60, 60, 59, 60], [0, 60, 120, 180]), 90);
  });

  test("lines of other clocks come onto one axis: undefined is none, null is a gap", () => {
    const { time, columns } = c.join([line(), line({ time: [5, 10], value: [7, null] })]);
    assert.deepEqual(time, [0, 5, 10, 20]);
    assert.deepEqual(columns[0][0], [1, undefined, 2, 3]);
    const far = c.join([
      line({ time: [0, 1, 2, 3, 4], value: [1, 1, 1, 1, 1] }),
      line({ time: [0, 2.5, 4], value: [1, null, 2] }),
    ]);
    assert.deepEqual(far.columns[1][0], [1, null, null, null, null, 2], "a gap goes from value to value");
    assert.deepEqual(columns[1][0], [undefined, 7, null, undefined]);
    assert.equal(c.readingAt(time, columns[1][0], 6, 1, false), 1);
    assert.equal(c.readingAt(time, columns[0][0], 6, 1, false), 2, "the nearer one");
    assert.equal(c.readingAt(time, columns[0][0], 9, 1, true), 0, "what stands");
  });

  test("two units a plot, the third below; bars and quantities begin at zero", () => {
    const units = ["kilowatt", "bar", "kilowatt", "degreeCelsius"];
    const parts = c.panels(units.map((unit) => line({ unit })));
    assert.deepEqual(
      parts.map((p) => p.length),
      [3, 1],
    );
    assert.deepEqual(c.axisRange([10, 20], [], true)[0], 0);
    assert.equal(c.axisRange([0.2, 20], [], false)[0], 0, "no negative power");
    assert.ok(c.axisRange([10, 20], [], false)[0] > 9);
    assert.ok(c.axisRange([10, 20], [25], false)[1] > 25, "a limit nearby is seen");
    assert.ok(c.axisRange([10, 20], [9000], false)[1] < 25, "one far away presses nothing flat");
    assert.deepEqual(c.extent([line({ low: [0, 1, 2], high: [9, 3, 4] })]), [0, 9]);
  });

  test("ticks are round, also in time", () => {
    assert.deepEqual(c.valueTicks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
    assert.deepEqual(c.valueTicks(0.1, 0.32, 4), [0.1, 0.2, 0.3]);
    const from = Date.parse("2026-03-28T00:00:00") / 1000;
    for (const t of c.timeTicks(from, from + 4 * 86400, 5)) {
      const d = new Date(t * 1000);
      assert.equal(d.getHours() + d.getMinutes(), 0, d.toString());
    }
    const clock = c.timeTicks(from + 130, from + 3600, 8);
    // Two hours forty on any width: at least three labels, and not more than there is room for.
    for (const span of [900, 3600, 5000, 9660, 30000, 86400, 3 * 86400, 7 * 86400])
      for (let most = 2; most <= 20; most++) {
        const count = c.timeTicks(from + 300, from + 300 + span, most).length;
        assert.ok(count >= (most < 4 ? 2 : 3) && count <= Math.max(5, most * 1.5), `${span} s, ${most}: ${count}`);
      }
    assert.ok(clock.length > 3 && clock.every((t) => new Date(t * 1000).getMinutes() % 10 === 0));
  });

  test("CSV: units in the header, exact values, quotes, no row for a gap", () => {
    const text = c.csvOf(
      [
        line({ label: 'Power, "main"', value: [1.123456789, null, 3e-7] }),
        line({ label: "=cmd", unit: "", time: [20], value: [5], low: [4], high: [6], level: 95 }),
      ],
      (u) => (u === "kilowatt" ? "kW" : ""),
      { time: "time", low: "low", high: "high" },
    );
    const rows = text.split("\r\n");
    assert.equal(rows[0], `time,"Power, ""main"" (kW)",'=cmd,=cmd low 95 %,=cmd high 95 %`.replace(/,=cmd/g, ",'=cmd"));
    assert.equal(rows[1], "1970-01-01T00:00:00.000Z,1.123456789,,,");
    assert.equal(rows[2], "1970-01-01T00:00:20.000Z,3e-7,5,4,6");
    assert.equal(rows.length, 4);
    const every = (n) => (n ? `mean of ${n} s` : "each value");
    const lines = [line({ every: 0 }), line({ label: "Rate", unit: "", every: 34 }), line({ label: "x", unit: "" })];
    const [head] = c.csvOf(lines, () => "kW", { time: "time", low: "low", high: "high", every }).split("\r\n");
    assert.equal(head, "time,Power (kW) [each value],Rate (kW) [mean of 34 s],x (kW)");
  });

  test("SVG: title, zone, legend, bands, limits and marks; a gap lifts the pen; light and dark", () => {
    const picture = (dark) =>
      c.svgOf({
        title: "Power <main> & more",
        subtitle: "Mon 3 Nov 08:00 – 09:00 (UTC)",
        lines: [
          line({ time: [0, 10, 20, 30], value: [1, 2, null, 4] }),
          line({
            label: "Foretold",
            dash: true,
            low: [0, 1, 2],
            high: [2, 3, 4],
            bands: [{ level: 50, low: [0.5, 1.5, 2.5], high: [1.5, 2.5, 3.5] }],
          }),
          line({ label: "Pressure", unit: "bar" }),
          line({ label: "Heat", unit: "degreeCelsius" }),
        ],
        limits: [{ label: "Limit 3 kW", value: 3, unit: "kilowatt", time: [-5, 15], values: [2, 3] }],
        marks: [{ time: 12, label: "jam", colour: "var(--bad)" }],
        from: 0,
        to: 30,
        width: 800,
        height: 200,
        dark,
      });
    const light = picture(false);
    assert.match(light, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="800" height="\d+"/);
    assert.match(light, /Power &lt;main&gt; &amp; more/);
    for (const text of ["(UTC)", "Foretold", "Limit 3 kW", "jam", "kW", "°C"]) assert.ok(light.includes(text), text);
    assert.ok(!/var\(|oklch|NaN|undefined|Infinity/.test(light), "only what every program reads");
    assert.equal((light.match(/<clipPath/g) ?? []).length, 2, "three units, two plots");
    assert.equal((light.match(/fill-opacity/g) ?? []).length, 2, "two bands");
    const course = /<path d="(M[^"]+)" fill="none" stroke="#0072b2"/.exec(light)[1];
    assert.equal(course.split("M").length - 1, 2, "the pen is lifted over the gap");
    assert.ok(light.includes('fill="#ffffff"') && picture(true).includes('fill="#111a1d"'));
    assert.notEqual(light, picture(true));
  });

  test("SVG: the states of the time stand below the plots, with their colours and what part each is", () => {
    const span = { from: 0, to: 100_000, moves: false, seconds: 0 };
    const list = [
      { time: 0, value: "running" },
      { time: 50, value: "cleaning" },
    ];
    const strips = [c.stripOf("State", { path: "state", list }, span)];
    const of = (dark, more) =>
      c.svgOf({ title: "P", subtitle: "", lines: [line()], from: 0, to: 100, width: 800, height: 200, dark, ...more });
    const svg = of(false, { strips });
    assert.match(svg, />State: running 50.%, cleaning 50.%</);
    const half = (800 - 40 - 54) / 2;
    const piece = new RegExp(`<rect x="${74 + half}" y="[\\d.]+" width="${half}" height="20" fill="([^"]+)"`, "g");
    const fills = [...svg.matchAll(piece)].map((m) => m[1]);
    assert.deepEqual(fills, [c.token("n1", false), c.token("c5", false)]);
    assert.ok(of(true, { strips }).includes(c.token("c5", true)));
    const height = (s) => Number(/height="(\d+)"/.exec(s)[1]);
    assert.equal(height(svg) - height(of(false)), 46);
    assert.ok(!/var\(|color-mix|NaN|undefined/.test(svg));
  });

  test("SVG: where nothing is at the left, it says so; words that do not fit are left out", () => {
    const picture = (until) =>
      c.svgOf({
        title: "Power",
        subtitle: "",
        lines: [line({ time: [60, 90], value: [1, 2] })],
        nothing: { until, text: "nothing before 08:10" },
        from: 0,
        to: 100,
        width: 800,
        height: 200,
        dark: false,
      });
    const width = (svg) => Number(/<rect x="74" [^>]*width="([\d.]+)"/.exec(svg)[1]);
    const wide = picture(50);
    assert.match(wide, />nothing before 08:10</);
    assert.ok(Math.abs(width(wide) - (800 - 40 - 54) / 2) < 1, `${width(wide)}`);
    assert.doesNotMatch(picture(5), /nothing before/);
    assert.ok(width(picture(200)) <= 800 - 94, "not beyond the plot");
  });

  test("numbers: three digits, thousands apart; very large ones, very small and inexact ones by powers of ten", () => {
    const { number, value } = c.format;
    for (const [x, told] of [
      [0, "0"],
      [-1234.5678, "−1\u2009235"],
      [0.000012345, "0.0000123"],
      [1.25e300, "1.25\u2009×\u200910³⁰⁰"],
      [-1.5e-15, "−1.5\u2009×\u200910⁻¹⁵"],
      [5e-324, "4.94\u2009×\u200910⁻³²⁴"],
      [1e21, "1\u2009×\u200910²¹"],
      [123456789012, "123\u2009456\u2009789\u2009012"],
    ])
      assert.equal(number(x), told);
    assert.equal(value(Number.MAX_SAFE_INTEGER), "9\u2009007\u2009199\u2009254\u2009740\u2009991");
    assert.equal(value(2 ** 60), "1.15\u2009×\u200910¹⁸"); // its digits are not known here
    assert.equal(value(NaN), "no value yet");
  });

  test("values: what is told while all are read is newer than what is read, however much it is", async () => {
    const v = new c.Values();
    v.of("live");
    let answer;
    const read = v.read("live", () => new Promise((done) => (answer = done)));
    const told = (n) => Array.from({ length: n }, (_, i) => ({ op: "set", twin: `t${i}`, path: "p", value: i }));
    for (let i = 0; i < 3; i++) v.apply(told(60_000));
    v.apply([{ op: "set", twin: "t59999", path: "p", value: -1 }]);
    answer(new Map([["p", new Map([["t0", 7], ["t59998", 7], ["t59999", 7], ["silent", 7]])]]));
    await read;
    assert.deepEqual(["t0", "t59998", "t59999", "silent"].map((id) => v.get(id, "p")), [0, 59998, -1, 7]);
    // Nothing of a world that is not shown any more.
    const late = v.read("live", () => Promise.resolve(new Map([["p", new Map([["t0", 1]])]])));
    v.of("other");
    await late;
    assert.equal(v.get("t0", "p"), undefined);
  });

  test("numbers in sentences of the server are written as the page writes them", () => {
    const { told, number } = c.format;
    assert.equal(
      told("makes 1,075 EUR more (95 %: -870 to 12,345,678)"),
      "makes 1\u2009075 EUR more (95 %: −870 to 12\u2009345\u2009678)",
    );
    assert.equal(
      told("saves 8680 EUR (90 %: 6440 to 10\u202f120)."),
      "saves 8\u2009680 EUR (90 %: 6\u2009440 to 10\u2009120).",
    );
    assert.ok(told("It is 2010.5 EUR.").includes(number(2010.5, 5)));
    for (const same of [
      "2026-11-23T12:12:35.615Z",
      "since 2019.",
      "Line-1234",
      "1,5 and 12,34",
      "pump 3, 4 and 5",
      "at 0.12345",
    ])
      assert.equal(told(same), same);
  });

  test("a limit stands from when it was set", () => {
    const course = c.limitCourse({ label: "x", value: 3, time: [5, 15], values: [2, 3] }, 0, 20);
    assert.deepEqual(
      course.map((p) => [p.time, p.value]),
      [
        [0, null],
        [5, null],
        [5, 2],
        [15, 2],
        [15, 3],
        [20, 3],
      ],
    );
  });

  test("limits belong to a value only when that is obvious", () => {
    const p = (path, unit = "degreeCelsius", type = "number") => ({
      path,
      unit,
      type,
      component: "",
      telemetry: false,
    });
    const names = (of, all) => c.limitsOf(of, all).map((x) => x.path);
    const t = p("temperature");
    assert.deepEqual(names(t, [t, p("setPoint"), p("humidity", "percent")]), ["setPoint"]);
    assert.deepEqual(names(t, [t, p("setPoint"), p("dewPoint")]), [], "two it could be of");
    assert.deepEqual(names(t, [t, p("temperatureHigh"), p("maxTemperature"), p("speedLimit", "")]), [
      "temperatureHigh",
      "maxTemperature",
    ]);
    assert.equal(c.stemOf("bowlFlow"), undefined);
    assert.equal(c.stemOf("speedLimit"), "speed");
  });

  test("a finding is told only when the value stands out of how it usually varies", () => {
    const time = Array.from({ length: 100 }, (_, i) => i);
    const wave = time.map((i) => 50 + Math.sin(i) * 2);
    assert.equal(c.standsOut({ time, value: wave }, 0, 100), null);
    const value = wave.map((v, i) => (i < 95 ? v : 62));
    const f = c.standsOut({ time, value }, 0, 100);
    assert.ok(Math.abs(f.by - (62 - f.usual)) < 1e-9 && Math.abs(f.usual - 50) < 0.5, JSON.stringify(f));
    assert.equal(c.standsOut({ time, value: value.with?.(99, 50) ?? [...value.slice(0, 99), 50] }, 0, 100), null);
    const hour = 3600;
    const at = 8 * 86400;
    const days = [7, 6, 5, 4].map((d) => at - d * 86400);
    const hours = { time: [...days, at - hour, at], value: [20, 21, 20, 21, 90, 33] };
    assert.deepEqual(c.againstDays(hours, at), { by: 12.5, usual: 20.5, days: 4 });
    assert.equal(
      c.againstDays({ time: hours.time.slice(2), value: hours.value.slice(2) }, at),
      null,
      "two days are no usual",
    );
  });

  test("a finding is of the newest value against the median over time: 32.4 after 3.1 is 29.3 more", () => {
    // 3.0, 3.1 and 3.2 kW by turns for 57 minutes, then up: 20 kW for a minute, 32.4 since.
    const time = Array.from({ length: 61 }, (_, i) => i * 60);
    const value = time.map((_, i) => (i < 57 ? 3 + (i % 3) / 10 : i === 57 ? 20 : 32.4));
    const f = c.standsOut({ time, value }, 0, 3600);
    assert.ok(Math.abs(f.usual - 3.1) < 1e-9 && Math.abs(f.by - 29.3) < 1e-9, JSON.stringify(f));
    // The newest may lie a little after the end: the legend says it, and so it is what is told.
    const later = c.standsOut({ time: [...time, 3603], value: [...value, 33.1] }, 0, 3600);
    assert.ok(Math.abs(later.by - 30) < 1e-9, JSON.stringify(later));
    // Told every second for a third of the time: that is a third, not most of it.
    const uneven = [
      ...Array.from({ length: 40 }, (_, i) => [i * 60, 10]),
      ...Array.from({ length: 1201 }, (_, i) => [2400 + i, 20]),
    ];
    const shape = { time: uneven.map((x) => x[0]), value: uneven.map((x) => x[1]) };
    assert.equal(c.quantile(c.weighed(shape, 0, 3600), 0.5), 10);
    const weight = (s, from, to) => c.weighed(s, from, to).map((w) => [w.value, w.weight]);
    const short = { time: [0, 10, 20, 40, 50], value: [1, 2, null, 3, 4] };
    assert.deepEqual(weight(short, 2, 100), [
      [1, 3],
      [2, 5],
      [3, 5],
      [4, 5],
    ]);
    assert.deepEqual(weight({ ...short, step: true }, 2, 100), [
      [1, 8],
      [3, 10],
    ]);
    assert.equal(c.standsOut({ time: time.slice(0, 40), value: value.slice(21) }, 0, 3600), null, "silent since");
  });

  test("states: what part of the time", () => {
    const span = { from: 0, to: 100_000, moves: false, seconds: 0 };
    const list = [
      { time: -10, value: "running" },
      { time: 75, value: "jam" },
    ];
    const pieces = c.piecesOf({ path: "state", list }, span);
    assert.deepEqual(
      pieces.map((p) => p.to - p.from),
      [75, 25],
    );
    assert.deepEqual(
      c.sharesOf(pieces, span).map((s) => s.part),
      [0.75, 0.25],
    );
    assert.equal(c.saidOf(c.sharesOf(pieces, span)), "running 75\u2009%, jam 25\u2009%");
    // Nothing is missing of a hundred: what is not known is named, and of many states the others together.
    const late = c.piecesOf({ path: "state", list: [{ time: 4, value: "running" }] }, span);
    assert.equal(c.saidOf(c.sharesOf(late, span)), "running 96\u2009%, no value 4\u2009%");
    const many = [40, 20, 15, 10, 8, 7].map((_, i, all) => ({
      time: all.slice(0, i).reduce((a, b) => a + b, 0),
      value: `s${i}`,
    }));
    const said = c.saidOf(c.sharesOf(c.piecesOf({ path: "state", list: many }, span), span));
    assert.equal(said, "s0 40\u2009%, s1 20\u2009%, s2 15\u2009%, s3 10\u2009%, 2 other states 15\u2009%");
    const states = ["running", "faulted", "cleaning", "blocked", "starved", "idle", "changeover", "paused"];
    const inks = states.map((s) => c.inksOf(s).fill);
    assert.equal(new Set(inks).size, states.length, `each its own: ${inks}`);
    assert.deepEqual(c.inksOf("Cleaning"), c.inksOf("cleaning"));
  });

  test("changes of a span that moves on: only what is new is read, and never all of very many", async () => {
    const asked = [];
    const all = Array.from({ length: 60 }, (_, i) => ({ time: i * 60, value: i % 20 < 10 ? "run" : "stop" }));
    const fetched = globalThis.fetch;
    let many = false;
    globalThis.fetch = async (url) => {
      const q = new URL(url, "http://here").searchParams;
      const [from, to] = ["from", "to"].map((n) => (q.get(n) ? Date.parse(q.get(n)) / 1000 : -Infinity));
      asked.push(q);
      if (q.get("order")) {
        const last = all.filter((x) => x.time < to).pop();
        return new Response(JSON.stringify({ value: last ? [{ time: "x", value: last.value }] : [] }));
      }
      const found = all.filter((x) => x.time >= from && x.time < to);
      const time =
        many && !q.get("fn") ? Array.from({ length: Number(q.get("limit")) }, () => 0) : found.map((x) => x.time * 1e9);
      const column = {
        property: "state",
        time,
        [q.get("fn") ?? "value"]: many && !q.get("fn") ? time : found.map((x) => x.value),
      };
      return new Response(JSON.stringify(column));
    };
    try {
      const ask = (from, to) => ({ world: "live", twin: "t", property: "state", from: from * 1000, to: to * 1000 });
      const first = await c.fetchChanges(ask(0, 1800));
      assert.deepEqual(
        first.list.map((x) => x.time),
        [0, 600, 1200],
      );
      const count = asked.length;
      const next = await c.fetchChanges(ask(900, 2700), first);
      assert.deepEqual(
        next.list.map((x) => [x.time, x.value]),
        [
          [900, "stop"],
          [1200, "run"],
          [1800, "stop"],
          [2400, "run"],
        ],
      );
      assert.deepEqual(
        asked.slice(count).map((q) => Date.parse(q.get("from")) / 1000),
        [1740],
        "the tail alone",
      );
      const alone = await c.fetchChanges(ask(900, 2700));
      assert.deepEqual(alone, next, "the same as read whole");
      many = true;
      const bound = await c.fetchChanges(ask(0, 1800));
      assert.equal(asked.pop().get("fn"), "last");
      assert.deepEqual(
        bound.list.map((x) => x.time),
        [0, 600, 1200],
      );
    } finally {
      globalThis.fetch = fetched;
    }
  });

  test("rows: Line 2 before Line 10, what has none last, 100,000 in a moment", () => {
    const rows = ["Line 10", "Line 2", ""].map((state, i) => ({
      id: `t${i}`,
      label: `T${i}`,
      model: "m",
      state,
      bad: false,
    }));
    const by = (down) => c.sorted(rows, { by: "state", down }, (m) => m).map((r) => r.state);
    assert.deepEqual(by(false), ["Line 2", "Line 10", ""]);
    assert.deepEqual(by(true), ["Line 10", "Line 2", ""]);
    assert.equal(c.nextSort({ by: "state", down: true }, "state"), null);
    const many = Array.from({ length: 100_000 }, (_, i) => ({
      ...rows[0],
      id: `t${i}`,
      label: `T ${(i * 7919) % 100_000}`,
    }));
    assert.equal(c.sorted(many, { by: "name", down: false }, (m) => m)[99_999].label, "T 99999");
  });
});
