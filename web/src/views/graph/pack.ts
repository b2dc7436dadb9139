// SPDX-License-Identifier: Apache-2.0
// Discs as tight as may be: equal ones on a honeycomb, others by a front chain (Wang et al., "Visualization of large
// hierarchical data by circle packing", CHI 2006): each next disc touches two of the front, where it is nearest to the
// middle. Nothing here is random: the same discs take the same places.

export interface Disc {
  x: number;
  y: number;
  r: number;
}

const EPS = 1e-6;

let comb: { x: number; y: number; d: number }[] = [];

/** Places of a honeycomb around the middle, for discs of radius 1, the nearest first. */
function honeycomb(count: number): readonly { x: number; y: number; d: number }[] {
  if (comb.length >= count) return comb;
  const rings = Math.ceil(Math.sqrt(count / 3)) + 2;
  const all: typeof comb = [];
  for (let q = -rings; q <= rings; q++) {
    for (let s = -rings; s <= rings; s++) {
      const x = 2 * (q + s / 2);
      const y = Math.sqrt(3) * s;
      all.push({ x, y, d: Math.hypot(x, y) });
    }
  }
  const turn = (p: { x: number; y: number }) => (Math.atan2(p.y, p.x) + 2 * Math.PI + EPS) % (2 * Math.PI);
  all.sort((a, b) => (Math.abs(a.d - b.d) > EPS ? a.d - b.d : turn(a) - turn(b)));
  comb = all;
  return comb;
}

/** Equal discs around the first; returns the radius around all of them. */
export function packEqual(count: number, r: number, put: (i: number, x: number, y: number) => void): number {
  const at = honeycomb(count);
  if (count === 2) {
    put(0, -r, 0);
    put(1, r, 0);
    return 2 * r;
  }
  for (let i = 0; i < count; i++) put(i, at[i]!.x * r, at[i]!.y * r);
  return (at[count - 1]!.d + 1) * r;
}

/** Puts c where it touches a and b, on the outside of the chain that goes from b to a. */
function touch(b: Disc, a: Disc, c: Disc): void {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const d2 = dx * dx + dy * dy;
  if (!d2) {
    c.x = a.x + c.r;
    c.y = a.y;
    return;
  }
  const a2 = (a.r + c.r) ** 2;
  const b2 = (b.r + c.r) ** 2;
  const from = a2 > b2 ? b : a;
  const along = a2 > b2 ? -(d2 + b2 - a2) / (2 * d2) : (d2 + a2 - b2) / (2 * d2);
  const across = Math.sqrt(Math.max(0, (a2 > b2 ? b2 : a2) / d2 - along * along));
  c.x = from.x + along * dx - across * dy;
  c.y = from.y + along * dy + across * dx;
}

const overlap = (a: Disc, b: Disc) => {
  const d = a.r + b.r - EPS;
  return d > 0 && d * d > (b.x - a.x) ** 2 + (b.y - a.y) ** 2;
};

/** The front: a ring of discs, by number. */
class Front {
  readonly next: Int32Array;
  readonly before: Int32Array;
  constructor(
    private readonly discs: readonly Disc[],
    private readonly stretch: number,
  ) {
    this.next = new Int32Array(discs.length);
    this.before = new Int32Array(discs.length);
  }

  join(a: number, b: number): void {
    this.next[a] = b;
    this.before[b] = a;
  }

  /** How far from the middle a disc between this one and the next would be; wider than high when stretched. */
  private far(i: number): number {
    const a = this.discs[i]!;
    const b = this.discs[this.next[i]!]!;
    const sum = a.r + b.r;
    const x = (a.x * b.r + b.x * a.r) / sum / this.stretch;
    const y = (a.y * b.r + b.y * a.r) / sum;
    return x * x + y * y;
  }

  nearest(from: number): number {
    let best = from;
    let least = this.far(from);
    for (let i = this.next[from]!; i !== from; i = this.next[i]!) {
      const d = this.far(i);
      if (d < least) [best, least] = [i, d];
    }
    return best;
  }

  /** The nearest of the front, seen from a and b both ways, that c would overlap; with the side it lies on. */
  hit(a: number, b: number, c: Disc): { at: number; ahead: boolean } | null {
    let j = this.next[b]!;
    let k = this.before[a]!;
    let ahead = this.discs[b]!.r;
    let behind = this.discs[a]!.r;
    do {
      if (ahead <= behind) {
        if (overlap(this.discs[j]!, c)) return { at: j, ahead: true };
        ahead += this.discs[j]!.r;
        j = this.next[j]!;
      } else {
        if (overlap(this.discs[k]!, c)) return { at: k, ahead: false };
        behind += this.discs[k]!.r;
        k = this.before[k]!;
      }
    } while (j !== this.next[k]!);
    return null;
  }
}

/** Places for discs of any size, in their order (largest first packs best); stretch > 1: wider than high. */
export function packChain(discs: readonly Disc[], stretch = 1): void {
  const [a0, b0, c0] = discs;
  if (!a0) return;
  a0.x = a0.y = 0;
  if (!b0) return;
  a0.x = -b0.r;
  b0.x = a0.r;
  b0.y = 0;
  if (!c0) return;
  touch(b0, a0, c0);
  const f = new Front(discs, stretch);
  f.join(0, 1);
  f.join(1, 2);
  f.join(2, 0);
  let a = 0;
  let b = 1;
  for (let i = 3; i < discs.length; i++) {
    const c = discs[i]!;
    for (;;) {
      touch(discs[a]!, discs[b]!, c);
      const hit = f.hit(a, b, c);
      if (!hit) break;
      if (hit.ahead) b = hit.at;
      else a = hit.at;
      f.join(a, b);
    }
    f.join(a, i);
    f.join(i, b);
    a = f.nearest(i);
    b = f.next[a]!;
  }
}

/** A disc around discs, nearly the smallest: the middle walks towards whoever is farthest, ever shorter steps. */
export function around(discs: readonly Disc[]): Disc {
  let x = 0;
  let y = 0;
  let mass = 0;
  for (const d of discs) {
    x += d.x * d.r * d.r;
    y += d.y * d.r * d.r;
    mass += d.r * d.r;
  }
  x /= mass || 1;
  y /= mass || 1;
  const farthest = (): Disc => {
    let far = discs[0]!;
    let most = -1;
    for (const d of discs) {
      const at = Math.hypot(d.x - x, d.y - y) + d.r;
      if (at > most) [far, most] = [d, at];
    }
    return { x: far.x, y: far.y, r: most };
  };
  for (let step = 0.25; step > 0.002; step *= 0.85) {
    const f = farthest();
    x += (f.x - x) * step;
    y += (f.y - y) * step;
  }
  return { x, y, r: farthest().r };
}

/** The convex hull of discs widened by a margin, as points against the clock. */
export function hullOf(discs: readonly Disc[], margin: number): Float64Array {
  const points: [number, number][] = [];
  for (const d of discs) {
    for (let k = 0; k < 24; k++) {
      const t = (k * Math.PI) / 12;
      points.push([d.x + (d.r + margin) * Math.cos(t), d.y + (d.r + margin) * Math.sin(t)]);
    }
  }
  points.sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  const half = (list: readonly [number, number][]) => {
    const out: [number, number][] = [];
    for (const p of list) {
      for (let n = out.length; n >= 2; n = out.length) {
        const [o, q] = [out[n - 2]!, out[n - 1]!];
        if ((q[0] - o[0]) * (p[1] - o[1]) - (q[1] - o[1]) * (p[0] - o[0]) > 0) break;
        out.pop();
      }
      out.push(p);
    }
    out.pop();
    return out;
  };
  return Float64Array.from([...half(points), ...half([...points].reverse())].flat());
}

/** How far a point lies outside a hull (negative: inside); never more than it is. */
export function outside(hull: Float64Array, x: number, y: number): number {
  let most = -Infinity;
  for (let i = 0; i < hull.length; i += 2) {
    const j = (i + 2) % hull.length;
    const ex = hull[j]! - hull[i]!;
    const ey = hull[j + 1]! - hull[i + 1]!;
    const d = ((x - hull[i]!) * ey - (y - hull[i + 1]!) * ex) / (Math.hypot(ex, ey) || 1);
    if (d > most) most = d;
  }
  return most;
}
