// SPDX-License-Identifier: Apache-2.0
// Which courses a page draws: the chosen properties of its twin, beside them those of other twins, of another time, and
// in a scenario those of live. All of it is in the address.
import { own } from "~/api/own";
import { byId, labelOf } from "~/api/catalogue";
import type { Course } from "~/api/history";
import { propertyOf } from "~/api/models";
import type { Twin } from "~/api/types";
import type { Line } from "~/ui/chart";
import { words } from "~/words/en";
import { shiftOf, type Span } from "./span";

export const MOST_LINES = 8;
export const LIVE = "live";

export interface Wanted {
  key: string;
  world: string;
  twin: string;
  path: string;
  shift: number; // ms: so much earlier, drawn as if it were now
  stands: boolean;
  label: string;
  unit: string;
  colour: string;
  dash: boolean;
}

const list = (text: string | undefined): string[] => (text ?? "").split(",").filter((x) => x);
export const pathsIn = (params: Readonly<Record<string, string>>): string[] => list(params.p);
export const othersIn = (params: Readonly<Record<string, string>>): string[] => list(params.with);

/** A value that people set, or that is a state, stands until it is changed: its silence is no gap. */
export function standsOf(model: string, path: string, sensor: boolean): boolean {
  const type = propertyOf(model, path)?.type;
  return !sensor || type === "boolean" || type === "enum";
}

/** What a second time is called: "1 d earlier". */
export const periodName = (vs: string): string => own(words.twin.periods, vs) ?? vs;

export function wantedOf(
  twin: Twin,
  paths: readonly string[],
  params: Readonly<Record<string, string>>,
  span: Span,
  o: { world: string; scenario: boolean; sensors: ReadonlySet<string> },
): Wanted[] {
  const model = twin.$metadata.$model;
  const others = othersIn(params).filter((id) => id !== twin.$dtId && byId.peek().has(id));
  const one = (path: string, id: string, of: string): Omit<Wanted, "key" | "colour"> => {
    const p = propertyOf(of, path);
    const name = p?.name ?? path;
    return {
      world: o.world,
      twin: id,
      path,
      shift: 0,
      stands: standsOf(of, path, o.sensors.has(path)),
      label: others.length ? `${name} · ${labelOf(id)}` : name,
      unit: p?.unit ?? "",
      dash: false,
    };
  };
  const base = [
    ...paths.map((path) => one(path, twin.$dtId, model)),
    ...others.flatMap((id) => {
      const of = byId.peek().get(id)!.model;
      return paths.filter((path) => propertyOf(of, path)).map((path) => one(path, id, of));
    }),
  ].slice(0, MOST_LINES);
  const shift = params.vs ? shiftOf(params.vs, span) : 0;
  return base.flatMap((w, i) => {
    const colour = `var(--c${i % 8})`;
    const out: Wanted[] = [{ ...w, colour, key: `${w.twin} ${w.path}` }];
    if (shift) {
      const label = `${w.label}, ${periodName(params.vs!)}`;
      out.push({ ...w, colour, shift, dash: true, label, key: `${w.twin} ${w.path} -${shift}` });
    }
    if (o.scenario && params.beside === LIVE) {
      const label = `${w.label}, ${words.twin.inLive}`;
      out.push({ ...w, colour, world: LIVE, dash: true, label, key: `${w.twin} ${w.path} live` });
    }
    return out;
  });
}

/** A course as a line, its times as if they were now; `end`: until when a value that stands is drawn. */
export function lineOf(w: Wanted, c: Course, end: number): Line {
  const time = w.shift ? c.time.map((t) => t + w.shift / 1000) : c.time.slice();
  const value = c.value.slice();
  const last = value[value.length - 1];
  if (w.stands && typeof last === "number" && end > time[time.length - 1]!) {
    time.push(end);
    value.push(last);
  }
  return {
    label: w.label,
    unit: w.unit || c.unit,
    time,
    value,
    ...(w.dash ? {} : { low: c.low, high: c.high }),
    colour: w.colour,
    dash: w.dash,
    step: w.stands,
    every: c.step,
  };
}
