// SPDX-License-Identifier: Apache-2.0
// Small parts that every view is made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LucideIcon } from "lucide-preact";
import { X } from "lucide-preact";
import { words } from "~/words/en";
import { link, wordsOf } from "~/api/client";
import { now as serverNow } from "~/api/now";
import * as format from "~/format";

export type Tone = "" | "ok" | "attention" | "bad" | "stale" | "world";

export const cls = (...names: (string | false | null | undefined)[]): string => names.filter(Boolean).join(" ");

export function Icon({ of: Of, size }: { of: LucideIcon; size?: number }) {
  return <Of class="icon-svg" aria-hidden="true" {...(size ? { style: { width: size, height: size } } : {})} />;
}

type ButtonProps = Omit<JSX.HTMLAttributes<HTMLButtonElement>, "icon"> & {
  icon?: LucideIcon;
  look?: "" | "primary" | "plain" | "danger";
  disabled?: boolean;
  type?: "button" | "submit";
  busy?: boolean;
  children?: ComponentChildren;
};

export function Button({
  icon,
  look = "",
  busy,
  children,
  class: more,
  disabled,
  type = "button",
  ...rest
}: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      class={cls("button", look, !children && "icon", more as string)}
    >
      {icon && <Icon of={icon} />}
      {children}
    </button>
  );
}

/** A button of an icon alone; its name is read aloud and shown on hover. */
export function IconButton({ name, ...rest }: ButtonProps & { name: string }) {
  return <Button look="plain" {...rest} aria-label={name} title={name} />;
}

export function Chip({
  tone = "",
  icon,
  children,
  title,
}: {
  tone?: Tone;
  icon?: LucideIcon;
  children: ComponentChildren;
  title?: string;
}) {
  return (
    <span class={cls("chip", tone)} title={title}>
      {icon && <Icon of={icon} size={13} />}
      {children}
    </span>
  );
}

export function Card(p: {
  title?: ComponentChildren;
  actions?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
  bare?: boolean;
}) {
  return (
    <section class={cls("card", p.class)}>
      {p.title !== undefined && (
        <header>
          <h2>{p.title}</h2>
          {p.actions}
        </header>
      )}
      {p.bare ? p.children : <div class="body">{p.children}</div>}
    </section>
  );
}

/** A text for people in which what stands between backticks is to be typed as it is. */
export function withCode(text: ComponentChildren): ComponentChildren {
  return typeof text === "string" ? text.split("`").map((t, i) => (i % 2 ? <code key={i}>{t}</code> : t)) : text;
}

export function Empty(p: { icon?: LucideIcon; title: string; hint?: ComponentChildren; children?: ComponentChildren }) {
  return (
    <div class="empty">
      {p.icon && <Icon of={p.icon} />}
      <h3>{p.title}</h3>
      {p.hint && <p>{withCode(p.hint)}</p>}
      {p.children}
    </div>
  );
}

/** What can be asked again is, once the server answers again. */
function useBack(retry: (() => void) | undefined): void {
  const newest = useRef(retry);
  newest.current = retry;
  useEffect(() => {
    let lost = false;
    return link.subscribe((now) => {
      if (now === "ok" && lost) setTimeout(() => newest.current?.());
      lost = now !== "ok";
    });
  }, []);
}

/** What went wrong, why, and what to do. */
export function Wrong({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  useBack(retry);
  return (
    <div class="notice bad" role="alert">
      <div class="grow">
        <div class="strong">{title ?? words.error.title}</div>
        <div>{wordsOf(error)}</div>
      </div>
      {retry && <Button onClick={retry}>{words.retry}</Button>}
    </div>
  );
}

export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div class="column" aria-label={words.loading} role="status">
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} class="skeleton" style={{ width: `${92 - ((i * 23) % 40)}%` }} />
      ))}
    </div>
  );
}

export function Field(p: {
  label: string;
  help?: ComponentChildren;
  wrong?: string;
  children: ComponentChildren;
  for?: string;
}) {
  return (
    <div class="field">
      <label for={p.for}>{p.label}</label>
      {p.children}
      {p.wrong ? (
        <div class="wrong" role="alert" id={p.for && p.for + "-wrong"}>
          {p.wrong}
        </div>
      ) : (
        p.help && <div class="help">{p.help}</div>
      )}
    </div>
  );
}

type TextProps = Omit<JSX.IntrinsicElements["input"], "label" | "value" | "class"> & {
  id: string;
  label: string;
  value: string;
  set: (text: string) => void;
  help?: ComponentChildren;
  wrong?: string;
};

/** A line of text with its name, and under it in our words what is wrong with it; its form is `noValidate`. */
export function TextField({ id, label, value, set, help, wrong, ...rest }: TextProps) {
  return (
    <Field label={label} for={id} help={help} wrong={wrong}>
      <input
        {...rest}
        id={id}
        class="input"
        value={value}
        aria-invalid={Boolean(wrong)}
        aria-describedby={wrong ? id + "-wrong" : undefined}
        onInput={(e) => set(e.currentTarget.value)}
      />
    </Field>
  );
}

export interface TabOf<T extends string> {
  id: T;
  title: string;
}

export function Tabs<T extends string>(p: { tabs: TabOf<T>[]; on: T; set: (t: T) => void; label: string }) {
  const move = (e: KeyboardEvent, i: number) => {
    const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    e.preventDefault();
    const next = (i + step + p.tabs.length) % p.tabs.length;
    p.set(p.tabs[next]!.id);
    (e.currentTarget as HTMLElement).parentElement?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={p.label}>
      {p.tabs.map((t, i) => (
        <button
          key={t.id}
          role="tab"
          type="button"
          aria-selected={t.id === p.on}
          tabIndex={t.id === p.on ? 0 : -1}
          onClick={() => p.set(t.id)}
          onKeyDown={(e) => move(e, i)}
        >
          {t.title}
        </button>
      ))}
    </div>
  );
}

export function Progress({ part, label }: { part: number; label: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, part)) * 100);
  return (
    <div
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <div style={{ width: `${percent}%` }} />
    </div>
  );
}

/** A modal dialog; Escape and a click beside it close it. */
export function Dialog(p: {
  title: string;
  open: boolean;
  close: () => void;
  children: ComponentChildren;
  footer?: ComponentChildren;
  class?: string;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const d = ref.current;
    if (p.open && d && !d.open) d.showModal();
    else if (!p.open && d?.open) d.close();
  }, [p.open]);
  if (!p.open) return null;
  return (
    <dialog
      ref={ref}
      class={p.class}
      onClose={p.close}
      aria-label={p.title}
      onClick={(e) => e.target === ref.current && p.close()}
    >
      <header>
        <h2>{p.title}</h2>
        <IconButton name={words.close} icon={X} onClick={p.close} />
      </header>
      <div class="dialog-body">{p.children}</div>
      {p.footer && <footer>{p.footer}</footer>}
    </dialog>
  );
}

/** A button that opens a popover under itself; closes on Escape, on a click elsewhere, and when `close` is called. */
export function Menu(p: {
  button: (open: () => void, shown: boolean) => ComponentChildren;
  children: (close: () => void) => ComponentChildren;
  label: string;
  class?: string;
}) {
  const [at, set] = useState<{ left: number; top?: number; bottom?: number } | null>(null);
  const anchor = useRef<HTMLSpanElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const close = () => set(null);
  const open = () => {
    if (at) return close();
    const r = anchor.current!.firstElementChild!.getBoundingClientRect();
    const left = Math.max(8, Math.min(r.left, innerWidth - 320));
    set(r.top > innerHeight * 0.6 ? { left, bottom: innerHeight - r.top + 4 } : { left, top: r.bottom + 4 });
  };
  // Not behind the paint: Escape may come at once.
  useLayoutEffect(() => {
    if (!at) return;
    const away = (e: Event) => {
      if (!box.current?.contains(e.target as Node) && !anchor.current?.contains(e.target as Node)) close();
    };
    const key = (e: KeyboardEvent) => {
      if (e.key === "Escape") {
        close();
        anchor.current?.querySelector<HTMLElement>("button")?.focus();
      } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        const items = [...(box.current?.querySelectorAll<HTMLElement>("button,a,input") ?? [])];
        const i = items.indexOf(document.activeElement as HTMLElement);
        e.preventDefault();
        items[(i + (e.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
      }
    };
    document.addEventListener("pointerdown", away);
    document.addEventListener("keydown", key);
    const wide = box.current!.offsetWidth;
    if (at.left + wide > innerWidth - 8) box.current!.style.left = `${Math.max(8, innerWidth - 8 - wide)}px`;
    box.current?.querySelector<HTMLElement>("input,button,a")?.focus();
    return () => {
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("keydown", key);
    };
  }, [at]);
  return (
    <>
      <span ref={anchor} style={{ display: "contents" }}>
        {p.button(open, at !== null)}
      </span>
      {at && (
        <div ref={box} class={cls("popover", p.class)} role="dialog" aria-label={p.label} style={at}>
          {p.children(close)}
        </div>
      )}
    </>
  );
}

/** "12 min ago" that stays true; the exact instant on hover. */
/** `now`: the clock that it is ago by, the server's unless told. */
export function Ago({ time, now = serverNow }: { time: string | number; now?: () => number }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 10_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <time dateTime={new Date(time).toISOString()} title={format.exactTime(time)}>
      {format.relative(time, now())}
    </time>
  );
}

/** A text that flashes when it changes. */
export function Flash({ text, title }: { text: string; title?: string }) {
  const ref = useRef<HTMLSpanElement>(null);
  const before = useRef(text);
  useEffect(() => {
    if (before.current === text) return;
    before.current = text;
    const el = ref.current;
    if (!el) return;
    el.classList.remove("flash");
    void el.offsetWidth;
    el.classList.add("flash");
  }, [text]);
  return (
    <span ref={ref} title={title}>
      {text}
    </span>
  );
}
