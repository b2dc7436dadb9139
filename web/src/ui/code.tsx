// SPDX-License-Identifier: Apache-2.0
// An editor for short texts of a language: a textarea (its keys, its undo, its accessibility) over the same text in
// colours, with mistakes underlined where they are and, where a language offers it, completion under the caret.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { cls } from "./basic";
import "./code.css";

export interface Token {
  from: number;
  to: number;
  kind: string; // a class: "word", "keyword", "text", "number", "comment", "name", ...
}

export interface Mistake {
  from: number;
  to: number;
  message: string;
}

export interface Completion {
  label: string;
  insert?: string; // instead of the label
  detail?: string;
  about?: string;
  kind: string; // shown as a mark: "property", "model", ...
}

export interface Completions {
  from: number; // what is replaced: from here to the caret
  list: readonly Completion[];
}

interface Props {
  value: string;
  set?: (text: string) => void;
  readOnly?: boolean;
  notes?: "word" | "line"; // a sentence stands under its word, or behind its line
  label: string;
  tokens?: (text: string) => Token[];
  mistakes?: readonly Mistake[];
  complete?: (text: string, caret: number, asked: boolean) => Completions | null;
  run?: () => void; // Ctrl Enter
  rows?: number;
  placeholder?: string;
  id?: string;
  class?: string;
  autoFocus?: boolean;
}

const NONE: readonly Mistake[] = [];
const COLOURED = 60_000; // longer texts stay plain: colours cost an element each

interface Open extends Completions {
  at: number;
  left: number;
  top: number;
}

/** The text cut where tokens and mistakes begin and end. */
function paint(text: string, tokens: readonly Token[], mistakes: readonly Mistake[]): ComponentChildren[] {
  const out: ComponentChildren[] = [];
  let at = 0;
  const plain = (from: number, to: number, kind: string) => {
    let i = from;
    while (i < to) {
      const m = mistakes.find((x) => x.from <= i && i < x.to);
      const next = m ? m.to : Math.min(to, ...mistakes.filter((x) => x.from > i).map((x) => x.from));
      const end = Math.min(to, next);
      const part = text.slice(i, end);
      out.push(kind || m ? <span class={cls(kind && "t-" + kind, m && "mistake")}>{part}</span> : part);
      i = end;
    }
  };
  for (const t of tokens) {
    if (t.from > at) plain(at, t.from, "");
    plain(t.from, t.to, t.kind);
    at = t.to;
  }
  if (at < text.length) plain(at, text.length, "");
  return out;
}

/** Where the character of that offset is drawn. */
function rectOf(pre: HTMLElement, offset: number): DOMRect | null {
  const walk = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
  let left = offset;
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const length = n.textContent!.length;
    if (left <= length) {
      const r = document.createRange();
      r.setStart(n, left);
      r.setEnd(n, Math.min(length, left + 1));
      const rects = r.getClientRects();
      return rects[rects.length - 1] ?? r.getBoundingClientRect();
    }
    left -= length;
  }
  return null;
}

/** Replace a part so that the browser's own undo takes it back. */
export function replace(area: HTMLTextAreaElement, from: number, to: number, text: string): void {
  area.focus();
  area.setSelectionRange(from, to);
  document.execCommand("insertText", false, text);
}

const POPUP_HEIGHT = 260;
const POPUP_WIDTH = 380;

export function CodeEditor(p: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const pre = useRef<HTMLPreElement>(null);
  const [open, setOpen] = useState<Open | null>(null);
  const [notes, setNotes] = useState<{ left: number; top: number; message: string }[]>([]);
  const id = p.id ?? "code";
  const tokens = p.tokens && p.value.length < COLOURED ? p.tokens(p.value) : [];
  const mistakes = p.mistakes ?? NONE;

  const suggest = (asked: boolean) => {
    const el = area.current!;
    const caret = el.selectionStart;
    const found = caret === el.selectionEnd ? p.complete?.(el.value, caret, asked) : null;
    if (!found?.list.length) return setOpen(null);
    // The coloured text is drawn after this: the place of the word's begin is already right, or soon.
    requestAnimationFrame(() => {
      const r = pre.current && rectOf(pre.current, Math.min(found.from, el.value.length));
      if (!r) return;
      const below = r.bottom + 4 + POPUP_HEIGHT < innerHeight;
      const left = Math.max(8, Math.min(r.left - 8, innerWidth - POPUP_WIDTH - 8));
      setOpen({ ...found, at: 0, left, top: below ? r.bottom + 4 : Math.max(8, r.top - POPUP_HEIGHT - 4) });
    });
  };
  const take = (c: Completion) => {
    const el = area.current!;
    replace(el, open!.from, el.selectionStart, c.insert ?? c.label);
    setOpen(null);
  };
  const key = (e: KeyboardEvent) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      setOpen(null);
      p.run?.();
    } else if (e.key === " " && e.ctrlKey) {
      e.preventDefault();
      suggest(true);
    } else if (open) {
      const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
      if (step) {
        e.preventDefault();
        setOpen({ ...open, at: (open.at + step + open.list.length) % open.list.length });
      } else if (e.key === "Enter" || e.key === "Tab") {
        e.preventDefault();
        take(open.list[open.at]!);
      } else if (e.key === "Escape") {
        e.preventDefault();
        e.stopPropagation();
        setOpen(null);
      } else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(e.key)) setOpen(null);
    }
  };

  useEffect(() => {
    document.getElementById(`${id}-${open?.at}`)?.scrollIntoView({ block: "nearest" });
  }, [open?.at]);
  // The sentences stand under the words they are about.
  useLayoutEffect(() => {
    if (!mistakes.length) return setNotes((n) => (n.length ? [] : n));
    const box = pre.current!.getBoundingClientRect();
    setNotes(
      mistakes.flatMap((m) => {
        const end = p.value.indexOf("\n", m.from);
        const r = rectOf(pre.current!, p.notes !== "line" ? m.from : end < 0 ? p.value.length : end);
        if (!r) return [];
        const under = p.notes !== "line";
        return [{ left: r.left - box.left, top: (under ? r.bottom : r.top) - box.top, message: m.message }];
      }),
    );
  }, [mistakes, p.value]);
  useEffect(() => {
    if (p.autoFocus) area.current?.focus();
  }, []);

  const shown = open?.list[open.at];
  return (
    <div class={cls("code-editor", p.class, mistakes.length > 0 && "has-mistakes")}>
      <div class="code-sheet" style={{ minHeight: `calc(${p.rows ?? 3} * 1.55em + 24px)` }}>
        <pre ref={pre} class="code-paint" aria-hidden="true">
          {paint(p.value, tokens, mistakes)}
          {"\n"}
        </pre>
        <textarea
          ref={area}
          id={id}
          class="code-area"
          value={p.value}
          aria-label={p.label}
          aria-autocomplete={p.complete ? "list" : undefined}
          aria-controls={open ? id + "-list" : undefined}
          aria-activedescendant={open ? `${id}-${open.at}` : undefined}
          aria-invalid={mistakes.length > 0 || undefined}
          aria-describedby={mistakes.length ? id + "-wrong" : undefined}
          placeholder={p.placeholder}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          wrap="soft"
          readOnly={p.readOnly}
          onInput={(e) => {
            p.set?.(e.currentTarget.value);
            const typed = (e as InputEvent).data ?? "";
            if (/[\w$.:'">]$/.test(typed) || (open && (e as InputEvent).inputType.startsWith("delete"))) suggest(false);
            else setOpen(null);
          }}
          onKeyDown={key}
          onBlur={() => setOpen(null)}
          onClick={() => setOpen(null)}
        />
        {notes.map((n) => (
          <div
            key={n.message + n.top}
            class={cls("code-note", p.notes === "line" && "behind")}
            style={{ top: n.top, left: 0, "--at": `${Math.round(n.left)}px` }}
            aria-hidden="true"
          >
            <span>{n.message}</span>
          </div>
        ))}
      </div>
      <div id={id + "-wrong"} class="unseen" role="alert">
        {mistakes.map((m) => m.message).join(" ")}
      </div>
      {open && (
        <div class="code-popup" style={{ left: open.left, top: open.top }}>
          <div role="listbox" id={id + "-list"} aria-label={p.label}>
            {open.list.map((c, i) => (
              <div
                key={c.kind + c.label}
                id={`${id}-${i}`}
                role="option"
                aria-selected={i === open.at}
                class="code-choice"
                onPointerDown={(e) => (e.preventDefault(), take(c))}
              >
                <span class={cls("code-kind", "k-" + c.kind)}>{c.kind}</span>
                <span class="ellipsis grow">{c.label}</span>
                <span class="ellipsis quiet tiny">{c.detail}</span>
              </div>
            ))}
          </div>
          {shown?.about && <div class="code-about tiny">{shown.about}</div>}
        </div>
      )}
    </div>
  );
}
