// SPDX-License-Identifier: Apache-2.0
// The tour of a first visit: six cards beside what they are about, in the app as it is. Nothing is blocked: whoever
// does by hand what a card offers is noticed. Shown once in this browser; again from the palette and the shortcuts.
import { effect, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Check, Compass, X } from "lucide-preact";
import { entries, reading } from "~/api/catalogue";
import { link } from "~/api/client";
import { Button, cls, Icon, IconButton } from "~/ui/basic";
import { tell } from "~/ui/toast";
import { words } from "~/words/en";
import { addCommands } from "./palette";
import { pref } from "./prefs";
import { go, route } from "./route";
import { beginTour, steps, type TourStep } from "./toursteps";
import "./tour.css";

const w = words.tour;
const seen = pref<"" | "offered" | "seen">("tour", "");
/** Who comes by a link to somewhere has a question of their own: to them the tour is offered, once. */
const bare = /^(#?\/?|#\/live\/overview)$/.test(location.hash);
const at = signal(-1); // which card; -1: none

/** A picture inside another page, or one of two beside each other: there is nobody to lead. */
const isPane = () => /[?&]pane\b/.test(location.search) || "pane" in route.peek().params || window.parent !== window;

export function startTour(): void {
  beginTour();
  at.value = 0;
}

function endTour(): void {
  at.value = -1;
  seen.value = "seen";
}

addCommands([{ id: "tour", title: w.take, icon: Compass, run: startTour }]);

interface Place {
  target?: DOMRect;
  left: number;
  top: number;
}

const GAP = 14;
const EDGE = 8;
const FOOT = 72;

function seenOf(selectors: readonly string[]): Element | undefined {
  for (const selector of selectors) {
    for (const e of document.querySelectorAll(selector)) {
      const r = e.getBoundingClientRect();
      if (r.width > 0 && r.height > 0) return e;
    }
  }
  return undefined;
}

/** So much of what must be seen would lie under the card, in pixels. */
function hidden(at: { left: number; top: number }, card: DOMRect, keep: readonly DOMRect[]): number {
  const over = (a: number, b: number, from: number, to: number) => Math.max(0, Math.min(b, to) - Math.max(a, from));
  return keep.reduce(
    (sum, k) =>
      sum +
      over(at.left, at.left + card.width, k.left, k.right) * over(at.top, at.top + card.height, k.top, k.bottom),
    0,
  );
}

/**
 * Beside what it is about: on the first side with room for it, wholly on the screen. Where it would lie over what must
 * be seen, where it hides the least of that.
 */
function placeOf(target: DOMRect | undefined, card: DOMRect, keep: readonly DOMRect[]): Place {
  const [vw, vh] = [innerWidth, innerHeight];
  const clamp = (v: number, most: number) => Math.max(EDGE, Math.min(v, most - EDGE));
  if (!target) return { left: (vw - card.width) / 2, top: clamp((vh - card.height) / 2, vh - card.height) };
  const middleX = clamp(target.left + target.width / 2 - card.width / 2, vw - card.width);
  const middleY = clamp(target.top + target.height / 2 - card.height / 2, vh - card.height);
  const low = vh - card.height - FOOT; // above the timeline
  const places = [
    { left: middleX, top: target.bottom + GAP },
    { left: middleX, top: target.top - GAP - card.height },
    { left: target.right + GAP, top: middleY },
    { left: target.left - GAP - card.width, top: middleY },
    { left: middleX, top: low },
    { left: clamp(vw - card.width, vw - card.width), top: low },
  ].filter((p) => {
    const [right, bottom] = [p.left + card.width, p.top + card.height];
    return p.left >= EDGE && p.top >= EDGE && right <= vw - EDGE && bottom <= vh - EDGE;
  });
  const best = [...places].sort((a, b) => hidden(a, card, keep) - hidden(b, card, keep))[0];
  return { target, ...(best ?? { left: clamp(vw, vw - card.width), top: clamp(vh, vh - card.height) }) };
}

const same = (a: Place, b: Place) =>
  a.left === b.left &&
  a.top === b.top &&
  (["left", "top", "width", "height"] as const).every((k) => a.target?.[k] === b.target?.[k]);

/** The page moves under the card (it loads, somebody scrolls): it is looked at a few times a second. */
function usePlace(step: TourStep, card: { current: HTMLDivElement | null }): Place {
  const [place, set] = useState<Place>({ left: -9999, top: 0 });
  useLayoutEffect(() => {
    let scrolled: Element | undefined;
    const look = () => {
      if (!card.current) return;
      const target = seenOf(step.at);
      const keep = (step.keep ?? []).flatMap((s) => seenOf([s])?.getBoundingClientRect() ?? []);
      if (target && target !== scrolled) {
        scrolled = target;
        target.scrollIntoView({ block: "nearest" });
      }
      const next = placeOf(target?.getBoundingClientRect(), card.current.getBoundingClientRect(), keep);
      set((p) => (same(p, next) ? p : next));
    };
    look();
    const timer = setInterval(look, 150);
    addEventListener("resize", look);
    return () => {
      clearInterval(timer);
      removeEventListener("resize", look);
    };
  }, [step]);
  return place;
}

function TourCard({ index }: { index: number }) {
  const step = steps[index]!;
  const card = useRef<HTMLDivElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const place = usePlace(step, card);
  const last = index === steps.length - 1;
  const done = step.done?.() ?? false;
  const next = () => (last ? endTour() : (at.value = index + 1));
  useEffect(() => {
    step.enter?.();
    title.current?.focus({ preventScroll: true });
  }, [step]);
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key !== "Escape" || document.querySelector("dialog[open]")) return;
      e.preventDefault();
      e.stopPropagation();
      endTour();
    };
    document.addEventListener("keydown", key, true);
    return () => document.removeEventListener("keydown", key, true);
  }, []);
  const t = place.target;
  return (
    <>
      {t && (
        <div
          class="tour-spot"
          aria-hidden="true"
          style={{ left: t.left - 5, top: t.top - 5, width: t.width + 10, height: t.height + 10 }}
        />
      )}
      <div
        ref={card}
        class="tour-card"
        role="dialog"
        aria-modal="false"
        aria-labelledby="tour-title"
        aria-describedby="tour-text"
        style={{ left: place.left, top: place.top }}
      >
        <div class="row">
          <span class="tiny quiet grow">{w.step(index + 1, steps.length)}</span>
          <IconButton name={w.skip} icon={X} onClick={endTour} />
        </div>
        <h2 id="tour-title" ref={title} tabIndex={-1}>
          {step.title}
        </h2>
        <p id="tour-text">{step.text()}</p>
        {step.act && (
          <div class="tour-act" aria-live="polite">
            {done ? (
              <span class="row tour-done">
                <Icon of={Check} /> {w.done}
              </span>
            ) : (
              <Button onClick={() => void step.act!.run()}>{step.act.title()}</Button>
            )}
          </div>
        )}
        <footer class="row">
          <span class="tour-dots grow" aria-hidden="true">
            {steps.map((s, i) => (
              <i key={s.id} class={cls(i === index && "on")} />
            ))}
          </span>
          {index > 0 && <Button onClick={() => (at.value = index - 1)}>{w.previous}</Button>}
          <Button look={!step.act || done ? "primary" : ""} onClick={next}>
            {last ? w.finish : w.next}
          </Button>
        </footer>
      </div>
    </>
  );
}

function offerTour(): void {
  if (seen.peek()) return;
  seen.value = "offered";
  tell(w.offer, { action: { title: w.take, run: startTour } });
}

/** Shown by itself once, when there is something to see. */
function useFirstVisit(): void {
  useEffect(() => {
    if (seen.peek() === "seen" || isPane()) return;
    const stop = effect(() => {
      if (reading.value || !entries.value.length || link.value !== "ok") return;
      setTimeout(() => {
        stop();
        if (at.peek() >= 0 || seen.peek() === "seen") return;
        if (bare && route.peek().world === "live" && !route.peek().at) startTour();
        else offerTour();
      }, 600);
    });
    return stop;
  }, []);
}

export function Tour() {
  useFirstVisit();
  return at.value < 0 ? null : <TourCard index={at.value} />;
}

/** For the list of shortcuts. */
export function TourButton({ before }: { before?: () => void }) {
  return (
    <Button
      icon={Compass}
      onClick={() => {
        before?.();
        go({ world: "live", at: "" });
        startTour();
      }}
    >
      {w.take}
    </Button>
  );
}
