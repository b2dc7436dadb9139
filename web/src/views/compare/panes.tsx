// SPDX-License-Identifier: Apache-2.0
// The two panes: each a page of its own in a frame, kept in step by messages. The address of this page is the truth;
// a pane that somebody moves says so, and both are told what became of it.
import { useEffect, useRef, useState } from "preact/hooks";
import { effect } from "@preact/signals";
import { link } from "~/api/client";
import type { FromPane, Side as Name, ToPane } from "~/app/pane";
import { density, theme } from "~/app/prefs";
import { go, parseRoute, printRoute, visit, type Step } from "~/app/route";
import { tell } from "~/ui/toast";
import { words } from "~/words/en";
import { titleOf } from "./names";
import { ownParams, paneHash, PANE_VIEWS, shownView, sides, type Sides } from "./sides";

const other = (s: Name): Name => (s === "a" ? "b" : "a");

/** A pane went somewhere: so does the page, where both can follow. */
function follow(side: Name, m: FromPane): void {
  const r = parseRoute(m.hash!);
  const params = ownParams(r.params);
  if (!(PANE_VIEWS as readonly string[]).includes(r.view)) {
    const { vs: _, flip: __, ...rest } = r.params;
    return visit(printRoute({ ...r, params: rest }));
  }
  if (r.view !== shownView.peek()) params.view = r.view;
  const step: Step = { params, replace: !m.push };
  if (m.elsewhere) {
    if (side === "a") Object.assign(step, { world: r.world, at: r.at });
    else params.with = r.at ? `${r.world}@${r.at}` : r.world;
  }
  go(step);
}

/** Keys that the pane leaves to the page. */
function press(k: { key: string; ctrl: boolean }): void {
  document.dispatchEvent(
    new KeyboardEvent("keydown", { key: k.key, ctrlKey: k.ctrl, bubbles: true, cancelable: true }),
  );
}

class Joint {
  readonly frames: Record<Name, HTMLIFrameElement | null> = { a: null, b: null };
  private readonly known: Record<Name, string> = { a: "", b: "" }; // the address that a pane has
  private readonly ready: Record<Name, boolean> = { a: false, b: false };
  private leads: Name = "a"; // the pane with the hand in it moves the camera
  private camera = "";
  private readonly cards: Record<Name, string> = { a: "", b: "" }; // what stands in a pane
  private over = false;

  /** A new frame begins with the address that its source says. */
  hold(side: Name, el: HTMLIFrameElement | null): void {
    if (!el || el === this.frames[side]) return;
    this.frames[side] = el;
    this.known[side] = el.getAttribute("src")!.replace(/^[^#]*/, "");
    this.ready[side] = false;
  }

  private post(side: Name, m: Omit<ToPane, "sosia">): void {
    const to = this.frames[side]?.contentWindow;
    if (to && this.ready[side]) to.postMessage({ sosia: "to-pane", ...m } satisfies ToPane, location.origin);
  }

  /** Both are told where they are to be; who is there already is left alone. */
  show(s: Sides): void {
    for (const side of ["a", "b"] as const) {
      const hash = paneHash(s, side);
      if (hash === this.known[side] || !this.ready[side]) continue;
      this.known[side] = hash;
      this.post(side, { hash });
    }
  }

  looks(over = this.over): void {
    this.over = over;
    for (const side of ["a", "b"] as const) this.post(side, { theme: theme.value, density: density.value, over });
  }

  receive(e: MessageEvent): void {
    const m = e.data as FromPane | undefined;
    if (e.origin !== location.origin || m?.sosia !== "from-pane") return;
    const { side } = m;
    if (e.source !== this.frames[side]?.contentWindow) return;
    const s = sides.peek();
    if (m.lead) {
      this.leads = side;
      document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true })); // elsewhere: menus close
    }
    if (m.ready) {
      this.ready[side] = true;
      if (s) this.show(s);
      this.looks();
      if (this.camera) this.post(side, { camera: this.camera });
      this.post(side, { cards: this.cards[other(side)] });
    }
    if (m.hash !== undefined) {
      this.known[side] = m.hash;
      follow(side, m);
    }
    if (m.camera !== undefined && side === this.leads) {
      this.camera = m.camera;
      this.post(other(side), { camera: m.camera });
    }
    if (m.cards !== undefined) this.post(other(side), { cards: (this.cards[side] = m.cards) });
    if (m.hover !== undefined) this.post(other(side), { hover: m.hover });
    if (m.key) press(m.key);
    if (m.told) tell(m.told.text, { bad: m.told.bad });
  }

  /** Another view looks otherwise. */
  forget(): void {
    this.camera = "";
  }
}

interface Props {
  s: Sides;
  cut: number | null; // where the curtain hangs, in percent; null: side by side
}

export function Panes({ s, cut }: Props) {
  const joint = useRef<Joint | null>(null);
  joint.current ??= new Joint();
  const j = joint.current;
  const [round, again] = useState(0); // after a sign-in the panes begin anew
  const [first, setFirst] = useState({ a: paneHash(s, "a"), b: paneHash(s, "b") });
  const over = cut !== null;
  useEffect(() => j.looks(over), [over]);
  const locked = link.value === "locked";
  const was = useRef(locked);
  useEffect(() => {
    const now = sides.peek();
    if (was.current && !locked && now) {
      setFirst({ a: paneHash(now, "a"), b: paneHash(now, "b") });
      again((n) => n + 1);
    }
    was.current = locked;
  }, [locked]);
  useEffect(() => {
    const receive = (e: MessageEvent) => j.receive(e);
    window.addEventListener("message", receive);
    const stops = [
      effect(() => {
        const now = sides.value;
        if (now) j.show(now);
      }),
      effect(() => {
        void shownView.value;
        j.forget();
      }),
      effect(() => j.looks()),
    ];
    return () => (window.removeEventListener("message", receive), stops.forEach((f) => f()));
  }, []);
  return (
    <>
      {(["a", "b"] as const).map((side) => (
        <iframe
          key={side + round}
          ref={(el) => j.hold(side, el)}
          class={"compare-pane " + side}
          style={
            cut === null
              ? undefined
              : { clipPath: side === "a" ? `inset(0 ${100 - cut}% 0 0)` : `inset(0 0 0 ${cut}%)` }
          }
          title={words.compare.pane(side.toUpperCase(), titleOf(s[side].ref))}
          src={`/?pane=${side}${first[side]}`}
        />
      ))}
    </>
  );
}
