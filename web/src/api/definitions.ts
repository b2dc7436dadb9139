// SPDX-License-Identifier: Apache-2.0
// Definitions of a world (KPIs, behaviours) as people wrote them: read, written, deleted; the server checks them.
import { worldName } from "~/app/route";
import { api } from "./client";
import type { Kpi, Value } from "./types";

export interface Behaviour {
  name: string;
  title?: string;
  model?: string;
  twin?: string;
  parameters?: Record<string, Value>;
  zone?: string;
  say: string[];
}

export type KpiText = Omit<Kpi, "name" | "symbol" | "value" | "times" | "values" | "error">;
export type BehaviourText = Omit<Behaviour, "name">;

/** Of the world that is shown: a fork has its own. The name is in the address, not in the text. */
export function definitionsOf<T>(collection: "kpis" | "behaviours") {
  const path = (name: string) => `/${collection}/${encodeURIComponent(name)}`;
  return {
    read: async (name: string, signal?: AbortSignal): Promise<T> => {
      const { name: _, ...text } = await api.get<{ name: string }>(path(name), { world: worldName.peek(), signal });
      return text as T;
    },
    /** A text goes as it is: what is wrong with it the server tells with its place. */
    put: (name: string, text: T | string): Promise<unknown> =>
      api.put(path(name), text, {
        world: worldName.peek(),
        ...(typeof text === "string" ? { type: "application/json" } : {}),
      }),
    drop: (name: string): Promise<unknown> => api.delete(path(name), { world: worldName.peek() }),
  };
}
