// SPDX-License-Identifier: Apache-2.0
// Twins that somebody put where they shall stand: by dragging. They stay there until unpinned, in this browser and in
// saved views. A place belongs to an arrangement: in another one the same twin may be pinned elsewhere, or not.
import { signal } from "@preact/signals";
import { labelOf } from "~/api/catalogue";
import { pref } from "~/app/prefs";
import { go, route, selected } from "~/app/route";
import { done } from "~/ui/toast";
import { words } from "~/words/en";
import { listOf, textOf } from "./params";
import type { Stage } from "./stage";

export type Places = Record<string, [x: number, y: number]>;

const kept = pref<Record<string, Places>>("graph.pins", {}); // by arrangement
const arrangement = signal("part");

/** Those of a saved view or of a link, as long as one is there: one's own are not touched. */
const borrowed = signal<Places | null>(null);

const NONE: Places = {};

export const pinned = (): Places => borrowed.value ?? kept.value[arrangement.value] ?? NONE;
export const isPinned = (id: string): boolean => id in pinned();
export const pinsText = (): string => textOf(Object.entries(pinned()).flatMap(([id, [x, y]]) => [id, x, y]));
export const pinCount = (): number => Object.keys(pinned()).length;

let drawn: Pins | null = null;

/** Those of a view or a link from now on; null: one's own again. */
export function borrow(places: Places | null): void {
  if (drawn) drawn.become(places ?? kept.peek()[arrangement.peek()] ?? {});
  borrowed.value = places;
}

export function placesOf(text: string): Places {
  const parts = listOf(text);
  const out: Places = {};
  for (let i = 0; i + 2 < parts.length; i += 3) {
    const [x, y] = [Number(parts[i + 1]), Number(parts[i + 2])];
    if (Number.isFinite(x) && Number.isFinite(y)) out[parts[i]!] = [x, y];
  }
  return out;
}

const CLICK_PX = 4; // so far the pointer may tremble in a click

export class Pins {
  private readonly home = new Map<string, [x: number, y: number]>(); // where the arrangement would have them
  private moving = "";
  private dragged = false;
  private frame = 0;
  private to: [x: number, y: number] = [0, 0];
  private from = { x: 0, y: 0 };

  constructor(private readonly stage: Stage) {
    const { sigma } = stage;
    drawn = this;
    sigma.on("downNode", ({ node, event }) => {
      // A finger moves the picture; only what was selected before follows it.
      const mouse = "button" in event.original ? event.original : null;
      if (mouse ? mouse.button !== 0 || mouse.shiftKey : node !== selected.peek()) return;
      this.moving = node;
      this.from = { x: event.x, y: event.y };
    });
    sigma.on("moveBody", ({ event, preventSigmaDefault }) => {
      if (!this.moving) return;
      preventSigmaDefault();
      event.original.preventDefault();
      event.original.stopPropagation();
      if (Math.hypot(event.x - this.from.x, event.y - this.from.y) < CLICK_PX && !this.dragged) return;
      this.dragged = true;
      const at = sigma.viewportToGraph(event);
      this.to = [at.x, at.y];
      this.frame ||= requestAnimationFrame(this.follow);
    });
    const drop = () => {
      const id = this.moving;
      if (this.frame) this.follow();
      this.moving = "";
      if (!this.dragged) return;
      this.dragged = false;
      this.pin(id);
    };
    sigma.on("upNode", drop);
    sigma.on("upStage", drop);
  }

  /** Once a frame: to move one twin is to draw its links anew. */
  private readonly follow = () => {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.moving) this.place(this.moving, this.to);
  };

  /** After the graph was laid out: the pinned ones go to their places. */
  arranged(by: string): void {
    arrangement.value = by;
    this.home.clear();
    const { graph } = this.stage;
    for (const [id, at] of Object.entries(pinned())) if (graph.hasNode(id)) this.place(id, at);
  }

  private place(id: string, [x, y]: [x: number, y: number]): void {
    const { graph } = this.stage;
    if (!graph.hasNode(id)) return;
    if (!this.home.has(id)) {
      const a = graph.getNodeAttributes(id) as { x: number; y: number };
      this.home.set(id, [a.x, a.y]);
    }
    this.stage.move(id, x, y);
  }

  /** Kept where the present ones come from: one's own, or those of a view or a link. */
  private keep(places: Places): void {
    if (!borrowed.peek()) kept.value = { ...kept.peek(), [arrangement.peek()]: places };
    else {
      borrowed.value = places;
      if (route.peek().params.pins) go({ params: { pins: pinsText() || null }, replace: true });
    }
  }

  private set(places: Places): void {
    this.become(places);
    this.keep(places);
  }

  /** Everything stands as given, and nothing else is moved. */
  become(places: Places): void {
    for (const id of Object.keys(pinned())) {
      const home = this.home.get(id);
      if (home && !(id in places)) this.stage.move(id, home[0], home[1]);
    }
    for (const [id, at] of Object.entries(places)) this.place(id, at);
  }

  kill(): void {
    cancelAnimationFrame(this.frame);
    drawn = null;
    borrowed.value = null;
  }

  /** Where it stands now. */
  pin(id: string): void {
    const { graph } = this.stage;
    if (!graph.hasNode(id)) return;
    const before = pinned();
    const a = graph.getNodeAttributes(id) as { x: number; y: number };
    if (!this.home.has(id)) this.home.set(id, [a.x, a.y]);
    this.set({ ...before, [id]: [Number(a.x.toFixed(3)), Number(a.y.toFixed(3))] });
    done(words.graph.pins.pinned(labelOf(id)), async () => this.set(before));
  }

  unpin(id?: string): void {
    const before = pinned();
    const { [id ?? ""]: _, ...rest } = before;
    this.set(id ? rest : {});
    done(words.graph.pins.unpinned(id ? 1 : Object.keys(before).length), async () => this.set(before));
  }
}
