// SPDX-License-Identifier: Apache-2.0
// Links of a large graph by twin, in typed arrays: 200,000 of them are not drawn at once but looked up where one looks.
import { entries, links as allLinks, shape, type Links } from "~/api/catalogue";

export class Adjacency {
  private readonly start: Uint32Array;
  private readonly of: Uint32Array; // link numbers, by twin

  constructor(
    private readonly count: number,
    readonly links: Links,
  ) {
    const { from, to } = links;
    this.start = new Uint32Array(count + 1);
    for (let i = 0; i < from.length; i++) {
      this.start[from[i]! + 1]!++;
      this.start[to[i]! + 1]!++;
    }
    for (let i = 0; i < count; i++) this.start[i + 1]! += this.start[i]!;
    const at = this.start.slice();
    this.of = new Uint32Array(from.length * 2);
    for (let i = 0; i < from.length; i++) {
      this.of[at[from[i]!]!++] = i;
      this.of[at[to[i]!]!++] = i;
    }
  }

  /** Every link of a twin, in order, with the twin at its other end. */
  around(twin: number, visit: (link: number, other: number, out: boolean) => void): void {
    const { from, to } = this.links;
    for (let k = this.start[twin]!; k < this.start[twin + 1]!; k++) {
      const l = this.of[k]!;
      const out = from[l] === twin;
      visit(l, out ? to[l]! : from[l]!, out);
    }
  }

  degree(twin: number): number {
    return this.start[twin + 1]! - this.start[twin]!;
  }

  /** Links of a twin, both ways; at most so many. */
  linksOf(twin: number, most: number): number[] {
    if (twin < 0 || twin >= this.count) return [];
    const from = this.start[twin]!;
    return [...this.of.subarray(from, Math.min(this.start[twin + 1]!, from + most))];
  }

  /** Links between twins of a set; at most so many. */
  between(twins: ReadonlySet<number>, most: number): number[] {
    const out: number[] = [];
    for (const t of twins) {
      for (let k = this.start[t]!; k < this.start[t + 1]! && out.length < most; k++) {
        const l = this.of[k]!;
        if (this.links.from[l] === t && twins.has(this.links.to[l]!)) out.push(l);
      }
    }
    return out;
  }
}

export interface Net {
  adjacency: Adjacency;
  indexOf: ReadonlyMap<string, number>;
}

let made: { of: number; net: Net } | undefined;

/** Of all twins of the shown world; made when it is first asked for after they changed. */
export function net(): Net {
  const of = shape.peek();
  if (made?.of !== of) {
    const list = entries.peek();
    const indexOf = new Map(list.map((e, i) => [e.id, i]));
    made = { of, net: { adjacency: new Adjacency(list.length, allLinks.peek()), indexOf } };
  }
  return made.net;
}
