// SPDX-License-Identifier: Apache-2.0
// JSON as a text that people write: its colours, and where in it a part of the document stands.
import type { Token } from "./code";

const TOKEN = new RegExp(
  [
    String.raw`(?<text>"(?:[^"\\\n]|\\.)*"?)`,
    String.raw`(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)`,
    String.raw`(?<keyword>\btrue\b|\bfalse\b|\bnull\b)`,
    String.raw`(?<sign>[{}[\],:])`,
  ].join("|"),
  "g",
);

export function jsonTokens(text: string): Token[] {
  const out: Token[] = [];
  for (const m of text.matchAll(TOKEN)) {
    let kind = Object.entries(m.groups!).find(([, v]) => v !== undefined)![0];
    const to = m.index + m[0].length;
    if (kind === "text" && /^\s*:/.test(text.slice(to, to + 20))) kind = "call"; // a key
    out.push({ from: m.index, to, kind });
  }
  return out;
}

export interface Node {
  from: number;
  to: number;
  value?: string | number | boolean | null;
  members?: Map<string, { from: number; to: number; node: Node }>; // from, to: of the key
  items?: Node[];
}

export class JsonError extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message);
  }
}

const SCALAR = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

class Reader {
  at = 0;
  constructor(private readonly text: string) {}

  private space(): string {
    while (/\s/.test(this.text.charAt(this.at))) this.at++;
    return this.text.charAt(this.at);
  }

  private scalar(): { from: number; to: number; value: string | number | boolean | null } {
    SCALAR.lastIndex = this.at;
    const m = SCALAR.exec(this.text);
    if (!m) throw new JsonError("", this.at);
    const from = this.at;
    this.at += m[0].length;
    return { from, to: this.at, value: JSON.parse(m[0]) as string };
  }

  node(): Node {
    const c = this.space();
    return c === "{" ? this.object() : c === "[" ? this.array() : this.scalar();
  }

  private object(): Node {
    const from = this.at++;
    const members: Node["members"] = new Map();
    for (let first = true; this.space() !== "}"; first = false) {
      if (!first) this.expect(",");
      this.space();
      const key = this.scalar();
      this.expect(":");
      members.set(String(key.value), { from: key.from, to: key.to, node: this.node() });
    }
    this.at++;
    return { from, to: this.at, members };
  }

  private array(): Node {
    const from = this.at++;
    const items: Node[] = [];
    for (let first = true; this.space() !== "]"; first = false) {
      if (!first) this.expect(",");
      items.push(this.node());
    }
    this.at++;
    return { from, to: this.at, items };
  }

  private expect(c: string): void {
    if (this.space() !== c) throw new JsonError("", this.at);
    this.at++;
  }
}

/** The document with places; null when it is none. */
export function jsonPlaces(text: string): Node | null {
  try {
    return new Reader(text).node();
  } catch {
    return null;
  }
}

/** "line 3, column 7" (from 1) as an offset. */
export function lineOffset(text: string, line: number, column: number): number {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  return Math.min(text.length, before + column - 1);
}
