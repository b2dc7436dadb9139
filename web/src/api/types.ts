// SPDX-License-Identifier: Apache-2.0
// Shapes of what the server says, as far as the page reads them.

export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

export interface World {
  name: string;
  parent: string | null;
  sequence?: number;
  time?: string;
  twins?: number;
  relationships?: number;
  loaded?: boolean;
  kept?: boolean;
  purpose?: string;
  until?: string;
  seed?: number;
  created?: string;
  forkedFrom?: string;
  age?: number;
  status?: string;
  run?: Run;
}

export interface Run {
  state: "idle" | "starting" | "running" | "paused" | "done" | "failed";
  begin?: string;
  now?: string;
  until?: string;
  progress?: number;
  seconds?: number;
  secondsLeft?: number;
  instants?: number;
  values?: number;
  error?: { code: string; message: string };
}

export interface TwinMetadata {
  $model: string;
  $lastUpdateTime?: string;
  [property: string]: { lastUpdateTime?: string; sourceTime?: string; [more: string]: unknown } | string | undefined;
}

export interface Twin {
  $dtId: string;
  $etag?: string;
  $metadata: TwinMetadata;
  [property: string]: Value | TwinMetadata | undefined;
}

export interface Relationship {
  $relationshipId: string;
  $sourceId: string;
  $targetId: string;
  $relationshipName: string;
  [property: string]: Value;
}

export interface Kpi {
  name: string;
  title: string;
  unit: string;
  symbol?: string;
  twin: string;
  expression: string;
  over: "last" | "mean" | "min" | "max" | "integral";
  better?: "more" | "less";
  of?: string;
  value?: number | null;
  times?: string[];
  values?: (number | null)[];
  error?: string;
}

export interface Whatif {
  name: string;
  title: string;
  about?: string;
  for: string;
  output?: string;
  seed?: number;
  from?: string;
  changes: { at: string; twin: string; property: string; value: Value }[];
  kpis?: string[];
}

/** One change of the feed. */
export interface Change {
  op:
    | "twin_put"
    | "twin_delete"
    | "set"
    | "unset"
    | "link_put"
    | "link_delete"
    | "link_set"
    | "link_unset"
    | "model"
    | "telemetry";
  twin: string;
  model?: string;
  path?: string;
  value?: Value;
  at?: number; // ms since 1970, of its source, else of its arrival
  link?: string;
  name?: string;
  target?: string;
}
