// SPDX-License-Identifier: Apache-2.0
// Labels that do not lie on each other: the important ones first, each at the first of a few sides that is free.
export interface Label {
  x: number; // of the thing, in pixels
  y: number;
  gap: number; // from its middle to the label
  side?: number; // to the left and right, when that is another
  w: number;
  h: number;
  rank: number; // larger goes first
  over?: boolean; // centred above only
  at?: readonly { x: number; y: number }[]; // upper left corners to try instead, the best first
  must?: boolean; // rather over marks than not at all
}

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

const CELL = 64;

class Taken {
  private readonly cells = new Map<number, Box[]>();

  private each(b: Box, see: (list: Box[]) => boolean): boolean {
    for (let cx = Math.floor(b.x / CELL); cx <= Math.floor((b.x + b.w) / CELL); cx++)
      for (let cy = Math.floor(b.y / CELL); cy <= Math.floor((b.y + b.h) / CELL); cy++) {
        const key = cx * 65536 + cy;
        let list = this.cells.get(key);
        if (!list) this.cells.set(key, (list = []));
        if (see(list)) return true;
      }
    return false;
  }

  hit(b: Box): boolean {
    return this.each(b, (l) => l.some((o) => b.x < o.x + o.w && o.x < b.x + b.w && b.y < o.y + o.h && o.y < b.y + b.h));
  }

  put(b: Box): void {
    this.each(b, (l) => (l.push(b), false));
  }
}

function sides(l: Label): Box[] {
  const at = (x: number, y: number): Box => ({ x, y, w: l.w, h: l.h });
  if (l.at) return l.at.map((p) => at(p.x, p.y));
  const over = at(l.x - l.w / 2, l.y - l.gap - l.h);
  if (l.over) return [over];
  return [
    at(l.x + (l.side ?? l.gap), l.y - l.h / 2),
    at(l.x - l.w / 2, l.y + l.gap),
    over,
    at(l.x - (l.side ?? l.gap) - l.w, l.y - l.h / 2),
  ];
}

/** Where each goes; null where there is no room. `marks`: what labels must not cover. */
export function fit(labels: readonly Label[], marks: readonly Box[], width: number, height: number): (Box | null)[] {
  const out: (Box | null)[] = labels.map(() => null);
  const taken = new Taken();
  const texts = new Taken();
  for (const m of marks) taken.put(m);
  const order = labels.map((_, i) => i).sort((a, b) => labels[b]!.rank - labels[a]!.rank || a - b);
  for (const i of order) {
    const l = labels[i]!;
    if (l.x < -40 || l.y < -40 || l.x > width + 40 || l.y > height + 40) continue;
    const within = sides(l).filter((b) => b.x >= 2 && b.x + b.w <= width - 2);
    const box = within.find((b) => !taken.hit(b)) ?? (l.must ? within.find((b) => !texts.hit(b)) : undefined);
    if (!box) continue;
    taken.put(box);
    texts.put(box);
    out[i] = box;
  }
  return out;
}
