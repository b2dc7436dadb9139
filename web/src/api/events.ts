// SPDX-License-Identifier: Apache-2.0
// What happened to a world as a whole: twins born and gone, commands, decisions, models.
import { api } from "./client";

export type EventKind = "born" | "gone" | "command" | "decision" | "model";

export interface WorldEvent {
  time: string;
  kind: EventKind;
  twin?: string;
  model?: string | null;
  name?: string;
  by?: string;
  status?: number | string;
  id?: number;
  /** Of many in one second, instead of their names. */
  count?: number;
}

export async function readEvents(world: string, from: number, to: number, signal?: AbortSignal): Promise<WorldEvent[]> {
  const page = await api.get<{ value: WorldEvent[] }>("/events", {
    world,
    signal,
    query: {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      kinds: "born,gone,command,model",
      limit: 1000,
    },
  });
  return page.value;
}
