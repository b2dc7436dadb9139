// SPDX-License-Identifier: Apache-2.0
// How runs many times over were asked for: about whom, by which KPI, at which costs. The server keeps it with them, so
// that everybody who opens them is told the same: "twin line-1-filler; kpi production-value; costs 0, 12, 12".
import type { Ensemble } from "~/api/runs";

export interface Asked {
  about: string; // a twin
  kpi?: string; // what decides
  costs: readonly number[]; // of each way, the first is doing nothing
}

export const textOf = (a: Asked): string =>
  `twin ${a.about}; ${a.kpi ? `kpi ${a.kpi}; ` : ""}costs ${a.costs.join(", ")}`;

const TEXT = /^twin (.+?); (?:kpi (.+?); )?costs (-?[\d.e+-]+(?:, -?[\d.e+-]+)*)$/;

/** As parameters of an address; of what somebody else asked for in other words there are none. */
export function paramsOfText(text = ""): Record<string, string> {
  const [, about, kpi, costs] = TEXT.exec(text) ?? [];
  if (!about || !costs) return {};
  return { about, costs: costs.replaceAll(" ", ""), ...(kpi ? { kpi } : {}) };
}

/** The parameters of the address that shows it. */
export const paramsOf = (e: Ensemble): Record<string, string> => ({
  ...paramsOfText(e.about),
  ensemble: String(e.id),
});

export const costsOf = (text: string | undefined): readonly number[] | undefined =>
  text ? text.split(",").map(Number) : undefined;
