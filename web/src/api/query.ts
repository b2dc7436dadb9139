// SPDX-License-Identifier: Apache-2.0
// Questions to a world: pages of rows, plans, and where a mistake is.
import { api, ApiError } from "./client";
import type { Value } from "./types";

export type Row = { [column: string]: Value };

export interface PlanStep {
  step: string;
  detail: string;
  estimated_rows: number;
  rows: number;
  time_us?: number;
}

export interface Answer {
  value: Row[];
  continuationToken: string | null;
  columns?: string[]; // [] when each row is a twin or a relationship itself
  notes?: string[];
  plan?: { plan: PlanStep[]; text: string };
}

export interface Place {
  offset: number; // into the text
  message: string;
}

export const ROWS_A_PAGE = 1000; // as many as the server gives; a table draws only those in sight

interface Asked {
  world: string;
  query: string;
  token?: string;
  explain?: boolean;
  signal?: AbortSignal;
}

export const ask = (a: Asked) =>
  api.post<Answer>(
    "/query",
    {
      query: a.query,
      ...(a.token ? { continuationToken: a.token } : { columns: true }),
      ...(a.explain ? { explain: true } : {}),
    },
    { world: a.world, signal: a.signal, headers: { "max-items-per-page": String(ROWS_A_PAGE) } },
  );

/** "…, Line=2, Position=6, Message=there is no function X" as an offset and a sentence; null when it has no place. */
export function placeOf(e: unknown, text: string): Place | null {
  if (!(e instanceof ApiError)) return null;
  const m = /Line=(\d+), Position=(\d+), Message=([\s\S]*)$/.exec(e.message);
  if (!m) return null;
  const lines = text.split("\n");
  const line = Math.min(Number(m[1]) - 1, lines.length - 1);
  const before = lines.slice(0, line).reduce((n, l) => n + l.length + 1, 0);
  const message = m[3]!.charAt(0).toUpperCase() + m[3]!.slice(1);
  return { offset: Math.min(text.length, before + columnOf(lines[line]!, Number(m[2]))), message };
}

/** The server counts characters, the page UTF-16. */
const columnOf = (line: string, characters: number): number => [...line].slice(0, characters).join("").length;
