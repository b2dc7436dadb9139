// SPDX-License-Identifier: Apache-2.0
// Numbers, units, times and durations as people read them. Exact values belong in a title or a copy, not here.
import { now } from "./api/now";
import type { Value } from "./api/types";
import { words } from "./words/en";

const THIN = "\u2009";

/** Names of DTDL units (quantitativeTypes) as symbols. What is not here is shown by its name. */
const SYMBOLS: Record<string, string> = {
  ampere: "A",
  bar: "bar",
  baseUnit: "",
  becquerel: "Bq",
  bit: "bit",
  bitPerSecond: "bit/s",
  byte: "B",
  bytePerSecond: "B/s",
  candela: "cd",
  centimetre: "cm",
  centimetrePerSecond: "cm/s",
  coulomb: "C",
  cubicCentimetre: "cm³",
  cubicMetre: "m³",
  cubicMetrePerHour: "m³/h",
  cubicMetrePerSecond: "m³/s",
  cubicMetrePerMinute: "m³/min",
  day: "d",
  decibel: "dB",
  degreeCelsius: "°C",
  degreeFahrenheit: "°F",
  degreeOfArc: "°",
  farad: "F",
  gigabyte: "GB",
  gForce: "g",
  gram: "g",
  gramPerCubicMetre: "g/m³",
  gramPerHour: "g/h",
  gramPerSecond: "g/s",
  hectopascal: "hPa",
  henry: "H",
  hertz: "Hz",
  horsepower: "hp",
  hour: "h",
  inch: "in",
  joule: "J",
  kelvin: "K",
  kilobyte: "kB",
  kilogram: "kg",
  kilogramPerCubicMetre: "kg/m³",
  kilogramPerHour: "kg/h",
  kilogramPerSecond: "kg/s",
  kilohertz: "kHz",
  kilojoule: "kJ",
  kilometre: "km",
  kilometrePerHour: "km/h",
  kilopascal: "kPa",
  kilovolt: "kV",
  kilovoltAmpere: "kVA",
  kilovoltAmpereReactive: "kvar",
  kilowatt: "kW",
  kilowattHour: "kWh",
  kilowattHourPerYear: "kWh/a",
  knot: "kn",
  litre: "l",
  litrePerHour: "l/h",
  litrePerMinute: "l/min",
  litrePerSecond: "l/s",
  lumen: "lm",
  lux: "lx",
  megabyte: "MB",
  megahertz: "MHz",
  megapascal: "MPa",
  megawatt: "MW",
  megawattHour: "MWh",
  metre: "m",
  metrePerSecond: "m/s",
  metrePerHour: "m/h",
  metrePerSecondSquared: "m/s²",
  microgram: "µg",
  microgramPerCubicMetre: "µg/m³",
  micrometre: "µm",
  microsecond: "µs",
  milliampere: "mA",
  millibar: "mbar",
  milligram: "mg",
  millilitre: "ml",
  millilitrePerSecond: "ml/s",
  millimetre: "mm",
  millimetrePerSecond: "mm/s",
  millimolePerLitre: "mmol/l",
  millipascal: "mPa",
  millisecond: "ms",
  millivolt: "mV",
  milliwatt: "mW",
  minute: "min",
  minuteOfArc: "′",
  mole: "mol",
  newton: "N",
  newtonMetre: "Nm",
  ohm: "Ω",
  partsPerMillion: "ppm",
  pascal: "Pa",
  percent: "%",
  radian: "rad",
  revolutionPerMinute: "rpm",
  revolutionPerSecond: "r/s",
  second: "s",
  siemens: "S",
  squareCentimetre: "cm²",
  squareMetre: "m²",
  tesla: "T",
  tonne: "t",
  unity: "",
  volt: "V",
  voltAmpere: "VA",
  watt: "W",
  wattHour: "Wh",
  weber: "Wb",
  year: "a",
};

export function unitSymbol(unit: string): string {
  return SYMBOLS[unit] ?? unit;
}

/** "1.25 × 10³⁰⁰" */
function power(x: number, digits: number): string {
  const [mantissa = "", exponent = ""] = Math.abs(x).toExponential(Math.min(digits, 6) - 1).split("e");
  const raised = exponent.replace("+", "").replaceAll(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]!));
  return `${x < 0 ? "−" : ""}${mantissa.replace(/\.?0+$/, "")}${THIN}×${THIN}10${raised}`;
}

/** Three significant digits and no more than the number has; thousands apart by thin spaces. */
export function number(x: number, digits = 3): string {
  if (!Number.isFinite(x)) return words.noValue;
  const size = Math.abs(x);
  if (size > Number.MAX_SAFE_INTEGER || (size > 0 && size < 1e-9)) return power(x, digits);
  const fraction = size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  const rounded = Number(x.toFixed(Math.min(fraction, 12)));
  const [whole = "0", part] = Math.abs(rounded).toFixed(Math.min(fraction, 12)).split(".");
  const tail = part?.replace(/0+$/, "");
  return (rounded < 0 ? "−" : "") + whole.replaceAll(/\B(?=(\d{3})+$)/g, THIN) + (tail ? "." + tail : "");
}

const APART = /(?<![\d.,:/-])\d{1,3}(?:[,\u202f\u00a0]\d{3})+(?![\d,])/g;
const FOUR = /(?<![\w.,:/\u2009-])(\d)(\d{3})(?!\w|[,:/-]\d)(\.\d+)?(?=(\s(?:to \d|[A-Z]{3}\b|[kMG]?Wh?\b))|)/g;

/** A sentence of the server with its numbers as everywhere on the page: 1,076 and 1 076 are one number. */
export function told(sentence: string): string {
  return sentence
    .replace(APART, (n) => n.replaceAll(/[,\u202f\u00a0]/g, THIN))
    .replace(FOUR, (n, a: string, b: string, part = "", unit?: string) =>
      // Without a unit behind it, it may be a year.
      !unit && !part && /^(19|20)/.test(n) ? n : a + THIN + b + part,
    )
    .replaceAll("\u202f%", `${THIN}%`)
    .replace(/(^|[\s(:])-(?=\d)/g, "$1−");
}

/** For axes: "2 M", "450 k". */
export function compact(x: number): string {
  const size = Math.abs(x);
  for (const [unit, name] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e4, "k"],
  ] as const) {
    if (size >= unit) return number(name === "k" ? x / 1e3 : x / unit, 4) + THIN + name;
  }
  return number(x, 5);
}

/** With its sign, where it says how far something is from another. */
export const signed = (x: number, digits = 3): string => (x > 0 ? "+" : "") + number(x, digits);

/** Whole numbers: all digits. */
export function count(n: number): string {
  return number(Math.round(n), 20);
}

export function amount(x: number, unit: string, digits = 3): string {
  const symbol = unitSymbol(unit);
  return number(x, digits) + (symbol ? (symbol === "%" || symbol === "°" ? THIN : "\u00a0") + symbol : "");
}

/** A value of a twin as one short text. */
export function value(v: Value | undefined, unit = "", digits = 3): string {
  if (v === null || v === undefined) return words.noValue;
  if (typeof v === "number") return amount(v, unit, Number.isInteger(v) && Math.abs(v) < 1e7 ? 20 : digits);
  if (typeof v === "boolean") return v ? words.yes : words.no;
  if (typeof v === "string") return v === "" ? words.emptyText : v;
  return JSON.stringify(v);
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const ZONE = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
  timeZoneName: "short",
});

const dateOf = (t: string | number | Date) => (t instanceof Date ? t : new Date(t));

/** "14:05:12" today, "Mon 3 Nov 14:05" otherwise. */
export function time(t: string | number | Date, at = now()): string {
  const d = dateOf(t);
  if (Number.isNaN(d.getTime())) return String(t);
  return d.toDateString() === new Date(at).toDateString() ? TIME.format(d) : `${day(d, at)} ${SHORT.format(d)}`;
}
/** "14:05" today, "Mon 3 Nov 14:05" otherwise. */
export function minute(t: string | number | Date, at = now()): string {
  const d = dateOf(t);
  return d.toDateString() === new Date(at).toDateString() ? SHORT.format(d) : `${day(d, at)} ${SHORT.format(d)}`;
}
/** "14:05" */
export const clock = (t: string | number | Date) => SHORT.format(dateOf(t));
/** "Mon 3 Nov", with the year when it is another. */
export function day(t: string | number | Date, at = now()): string {
  const d = dateOf(t);
  return (d.getFullYear() === new Date(at).getFullYear() ? DAY : DATE).format(d);
}
/** With date, seconds and zone: for titles. */
export const exactTime = (t: string | number | Date) => {
  const d = dateOf(t);
  return Number.isNaN(d.getTime()) ? String(t) : ZONE.format(d);
};

/** An instant as addresses and the server write it: RFC 3339 in UTC. */
export const instant = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

/** "3 h 12 min", "45 s", "2 d 4 h": the two largest parts. */
export function duration(ms: number): string {
  const s = Math.round(Math.abs(ms) / 1000);
  if (s < 1) return `${Math.round(Math.abs(ms))}${THIN}${words.units.ms}`;
  const parts: [number, string][] = [
    [Math.floor(s / 86400), words.units.d],
    [Math.floor(s / 3600) % 24, words.units.h],
    [Math.floor(s / 60) % 60, words.units.min],
    [s % 60, words.units.s],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, u]) => n + THIN + u)
    .join(" ");
}

/** "12 min ago", "in 3 h", "now". */
export function relative(t: string | number | Date, at = now()): string {
  const ms = at - dateOf(t).getTime();
  if (Number.isNaN(ms)) return "";
  if (Math.abs(ms) < 1500) return words.now;
  return ms > 0 ? words.ago(about(ms)) : words.inTime(about(-ms));
}

/** "12 min": of a duration what counts most. */
export function about(ms: number): string {
  const s = ms / 1000;
  const { units } = words;
  if (s < 60) return `${Math.round(s)}${THIN}${units.s}`;
  if (s < 3600) return `${Math.round(s / 60)}${THIN}${units.min}`;
  if (s < 86400) return `${Math.round(s / 3600)}${THIN}${units.h}`;
  return `${Math.round(s / 86400)}${THIN}${units.d}`;
}

/** ISO 8601 ("PT8H", "P7D") to ms; NaN when it is none. Months count 30 days. */
export function isoDuration(text: string): number {
  const m = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(text);
  if (!m) return NaN;
  const [, y, mo, w, d, h, mi, s] = m.map((x) => Number(x ?? 0));
  return ((((y! * 365 + mo! * 30 + w! * 7 + d!) * 24 + h!) * 60 + mi!) * 60 + s!) * 1000;
}
