// SPDX-License-Identifier: Apache-2.0
// What is read once however many ask for it, and kept up to date while somebody follows it. Two panes in a page that
// compares worlds follow what the page around them reads: large answers are asked for, parsed and held once, and all
// three have the same objects. Whoever follows does not change what is told.
import { pane } from "~/app/pane";

export interface Reading {
  stop(): void;
  again?(): void; // reads anew
}

type Begin = (tell: (value: never) => void, ...args: string[]) => Reading;

class Source {
  private readonly followers = new Set<(value: never) => void>();
  private reading: Reading | null = null;
  private told: [value: never] | null = null;

  constructor(
    private readonly begin: (tell: (value: never) => void) => Reading,
    private readonly idle: () => void,
  ) {}

  follow(take: (value: never) => void): () => void {
    this.followers.add(take);
    if (this.told) take(this.told[0]);
    this.reading ??= this.begin((v) => this.tell(v));
    return () => {
      if (!this.followers.delete(take) || this.followers.size) return;
      this.reading?.stop();
      this.idle();
    };
  }

  /** A pane that is torn down just now keeps nobody else from being told. */
  private tell(value: never): void {
    this.told = [value];
    for (const take of [...this.followers]) {
      try {
        take(value);
      } catch (e) {
        console.error(e);
      }
    }
  }

  again(): void {
    this.reading?.again?.();
  }
}

class Board {
  private readonly kinds = new Map<string, Begin>();
  private readonly sources = new Map<string, Source>();

  knows(kind: string): boolean {
    return this.kinds.has(kind);
  }

  teach(kind: string, begin: Begin): void {
    this.kinds.set(kind, begin);
  }

  follow(kind: string, args: readonly string[], take: (value: never) => void): () => void {
    const key = JSON.stringify([kind, ...args]);
    let s = this.sources.get(key);
    if (!s) {
      const begin = this.kinds.get(kind)!;
      s = new Source(
        (tell) => begin(tell, ...args),
        () => this.sources.delete(key),
      );
      this.sources.set(key, s);
    }
    return s.follow(take);
  }

  again(kind: string, args: readonly string[]): void {
    this.sources.get(JSON.stringify([kind, ...args]))?.again();
  }
}

declare global {
  interface Window {
    sosiaBoard?: Board;
  }
}

const own = (window.sosiaBoard = new Board());
/** Of the page around, if it can read that. */
const boardOf = (kind: string): Board => {
  const outer = pane ? window.parent.sosiaBoard : undefined;
  return outer?.knows(kind) ? outer : own;
};

/** Each kind of reading is taught by who reads it, once a page. */
export const teach = <T>(kind: string, begin: (tell: (value: T) => void, ...args: string[]) => Reading): void =>
  own.teach(kind, begin as Begin);

const followed = new Set<() => void>();
// A pane that goes takes back what it follows: the page around stays.
if (pane) addEventListener("pagehide", () => [...followed].forEach((stop) => stop()));

/** Be told of it now and whenever it has become otherwise, until the function that is returned is called. */
export function follow<T>(kind: string, args: readonly string[], take: (value: T) => void): () => void {
  const leave = boardOf(kind).follow(kind, args, take as (value: never) => void);
  const stop = () => (followed.delete(stop), leave());
  followed.add(stop);
  return stop;
}

export const again = (kind: string, args: readonly string[]): void => boardOf(kind).again(kind, args);
