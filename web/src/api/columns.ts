// SPDX-License-Identifier: Apache-2.0
// Columns of values of many twins: read as a whole, then moved by what is told, also by what is told while one reads.
import { signal } from "@preact/signals";
import type { Change, Value } from "./types";

export class Values {
  /** Counts up when something changed. */
  readonly version = signal(0);
  private columns = new Map<string, Map<string, Value>>();

  get(id: string, path: string): Value | undefined {
    return this.columns.get(path)?.get(id);
  }

  /** It was read; until then nothing is known of anybody. */
  has(path: string): boolean {
    return this.columns.has(path);
  }

  private world = "";
  private reading = 0;
  private during: Map<string, Change> | undefined; // the newest of each told while it is read: newer than what is read

  /** From here on of this world: nothing is known of it until it is read. */
  of(world: string): void {
    if (this.world === world) return;
    this.world = world;
    this.columns = new Map();
  }

  /** Read by `once`; of several at a time the one that began last counts. */
  async read(world: string, once: () => Promise<Map<string, Map<string, Value>>>): Promise<void> {
    const mine = ++this.reading;
    const during = (this.during = new Map<string, Change>());
    const columns = await once();
    if (mine !== this.reading || this.world !== world) return;
    this.columns = columns;
    this.during = undefined;
    this.apply([...during.values()]);
  }

  apply(list: readonly Change[]): void {
    for (const c of list) {
      if (!c.path) continue;
      this.during?.set(`${c.twin}\n${c.path}`, c);
      this.set(c.twin, c.path, c.value);
    }
    this.version.value++;
  }

  private set(id: string, path: string, v: Value | undefined): void {
    const c = this.columns.get(path);
    if (v === undefined || v === null) c?.delete(id);
    else c?.set(id, v);
  }
}
