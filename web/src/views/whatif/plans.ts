// SPDX-License-Identifier: Apache-2.0
// Changes that are planned for a run but not made yet, and those of the newest run: kept in this tab, so that nothing
// typed is lost by looking elsewhere.
import { effect, signal } from "@preact/signals";
import type { Planned } from "~/api/whatif";

export interface Plan {
  next: readonly Planned[]; // of the run to come
  ran: readonly Planned[]; // of the newest run
}

const KEY = "sosia.plans";
const NONE: Plan = { next: [], ran: [] };

function kept(): Record<string, Plan> {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, Plan>;
  } catch {
    return {};
  }
}

const plans = signal(kept());

effect(() => {
  const text = JSON.stringify(plans.value);
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // full or forbidden: it lasts as long as the page
  }
});

export const planOf = (world: string): Plan => plans.value[world] ?? NONE;

export function setPlan(world: string, change: Partial<Plan>): void {
  plans.value = { ...plans.value, [world]: { ...planOf(world), ...change } };
}

export function forgetPlan(world: string): void {
  const { [world]: _, ...rest } = plans.value;
  plans.value = rest;
}
