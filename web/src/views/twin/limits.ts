// SPDX-License-Identifier: Apache-2.0
// Which setpoints and limits belong to a value. Only what is obvious: same component, same unit, and either the name
// says so ("speed" and "speedLimit") or there is only one it could be of.
import type { Property } from "~/api/models";

const BOUND = /^(set_?point|limit|target|threshold|low|high|min(imum)?|max(imum)?|alarm(low|high)|(low|high)alarm)$/i;
const TAIL = /(set_?point|limit|target|threshold|low|high|min|max)$/i;
const HEAD = /^(set_?point|limit|target|threshold|low|high|min|max)(?=[A-Z_])/;

const last = (p: Property): string => p.path.split(".").pop()!;
const isNumber = (p: Property): boolean => p.type === "number" || p.type === "integer";

/** "temperature" of "temperatureHigh" and "maxTemperature"; "" of "setPoint"; undefined: it is no limit. */
export function stemOf(name: string): string | undefined {
  if (BOUND.test(name)) return "";
  const head = HEAD.exec(name);
  if (head) return lower(name.slice(head[0].length).replace(/^_/, ""));
  const tail = TAIL.exec(name);
  // "bowlFlow" ends with "low", too: a word begins with a capital.
  if (tail && tail.index > 0 && /[A-Z_]/.test(name.charAt(tail.index)))
    return name.slice(0, tail.index).replace(/_$/, "");
  return undefined;
}

const lower = (s: string) => s.charAt(0).toLowerCase() + s.slice(1);

export function limitsOf(of: Property, all: readonly Property[]): Property[] {
  if (stemOf(last(of)) !== undefined) return [];
  return all.filter((p) => {
    if (p === of || !isNumber(p) || p.telemetry || p.component !== of.component || p.unit !== of.unit) return false;
    const stem = stemOf(last(p));
    if (stem === undefined) return false;
    if (stem) return stem === last(of);
    // One setpoint, and one measured value of its unit: of what else could it be?
    const rivals = all.filter(
      (o) => isNumber(o) && o.component === of.component && o.unit === of.unit && stemOf(last(o)) === undefined,
    );
    return of.unit !== "" && rivals.length === 1;
  });
}
