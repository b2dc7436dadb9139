// SPDX-License-Identifier: Apache-2.0
// One choice of the graph's bar: a button that says what is chosen, and a list to choose from, searched when it is
// long; where it may be, an expression of the query language instead.
import { useEffect, useState } from "preact/hooks";
import { Check, ChevronDown, SquareFunction, type LucideIcon } from "lucide-preact";
import { Button, cls, Icon, Menu } from "~/ui/basic";
import { CodeEditor, type Completions } from "~/ui/code";
import { complete } from "~/views/ask/complete";
import { lex } from "~/views/ask/language";
import { words } from "~/words/en";
import { isExpression, type Measured } from "./measure";

const w = words.graph;
const LONG = 8; // from so many on they are searched

export interface Option {
  value: string;
  name: string;
  hint?: string;
  brief?: string; // on the button
}

interface Props {
  id: string;
  icon: LucideIcon;
  label: string; // "Colour by"
  short: string; // on the button
  value: string;
  options: readonly Option[];
  set: (value: string) => void;
  measured?: Measured; // with it an expression may be given, and what became of it is said
}

const PREFIX = "SELECT $dtId FROM DIGITALTWINS WHERE ";

/** As behind WHERE, without the words of a whole question. */
function completed(text: string, caret: number, asked: boolean): Completions | null {
  const found = complete(PREFIX + text, PREFIX.length + caret, asked);
  if (!found) return null;
  const list = found.list.filter((c) => c.kind !== "word" && c.kind !== "alias");
  return list.length ? { from: found.from - PREFIX.length, list } : null;
}

function ExpressionForm(p: Props & { measured: Measured; close: () => void }) {
  const [text, setText] = useState(isExpression(p.value) ? p.value.slice(1).trim() : "");
  const [sent, setSent] = useState(isExpression(p.value) ? p.value : "");
  const key = "=" + text.trim();
  const answered = sent !== "" && p.measured.settled === sent;
  const wrong = answered && sent === key ? p.measured.error : "";
  useEffect(() => {
    if (answered && !p.measured.error && sent === key && document.activeElement?.id === p.id + "-expression") p.close();
  }, [answered, p.measured.error]);
  const run = () => {
    if (!text.trim()) return;
    setSent(key);
    p.set(key);
  };
  return (
    <form
      class="choice-expression column"
      onSubmit={(e) => (e.preventDefault(), run())}
      onKeyDown={(e) => {
        if (e.key.startsWith("Arrow")) e.stopPropagation();
        else if (e.key === "Enter" && !e.defaultPrevented) e.preventDefault(), run();
      }}
    >
      <label class="menu-title" for={p.id + "-expression"}>
        {w.expression}
      </label>
      <CodeEditor
        id={p.id + "-expression"}
        label={`${p.label}: ${w.expression}`}
        value={text}
        set={(t) => setText(t.replaceAll("\n", " "))}
        tokens={lex}
        complete={completed}
        run={run}
        rows={1}
        placeholder="power / rate"
      />
      <div class="row">
        <span class={cls("tiny grow", wrong ? "wrong" : "quiet")} role={wrong ? "alert" : undefined}>
          {wrong || (sent && !answered ? words.loading : w.expressionHint)}
        </span>
        <Button look="primary" type="submit" disabled={!text.trim()}>
          {w.apply}
        </Button>
      </div>
    </form>
  );
}

function Options(p: Props & { close: () => void }) {
  const [text, setText] = useState("");
  const q = text.trim().toLowerCase();
  const fits = (o: Option) => `${o.name} ${o.hint ?? ""} ${o.value}`.toLowerCase().includes(q);
  const list = q ? p.options.filter(fits) : p.options;
  const take = (value: string) => {
    p.set(value);
    p.close();
  };
  return (
    <>
      {p.options.length > LONG && (
        <input
          class="input choice-search"
          aria-label={w.find(p.label)}
          placeholder={w.findHint(p.options.length)}
          value={text}
          spellcheck={false}
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => e.key === "Enter" && list[0] && take(list[0].value)}
        />
      )}
      <div class="choice-list scroll">
        {list.map((o) => (
          <button
            key={o.value}
            type="button"
            class="menu-item"
            aria-pressed={o.value === p.value}
            onClick={() => take(o.value)}
          >
            <span class="grow ellipsis">{o.name}</span>
            {o.hint && <span class="tiny quiet ellipsis">{o.hint}</span>}
            {o.value === p.value && <Icon of={Check} size={14} />}
          </button>
        ))}
        {!list.length && <div class="menu-title">{words.nothingFound(text)}</div>}
      </div>
    </>
  );
}

export function Choice(p: Props) {
  const chosen = isExpression(p.value)
    ? p.value.slice(1).trim()
    : (p.options.find((o) => o.value === p.value)?.name ?? p.value);
  const brief = p.options.find((o) => o.value === p.value)?.brief ?? chosen;
  const wrong = p.value !== "" && p.measured?.error;
  return (
    <Menu
      label={p.label}
      class="choice-menu"
      button={(open, shown) => (
        <Button class={cls("choice", wrong && "wrong")} onClick={open} aria-expanded={shown} title={wrong || p.label}>
          <Icon of={isExpression(p.value) ? SquareFunction : p.icon} size={15} />
          <span class="quiet" aria-hidden="true">
            {p.short}
          </span>
          <span class="unseen">{p.label}: </span>
          <span class="ellipsis choice-value">{brief}</span>
          <Icon of={ChevronDown} size={13} />
        </Button>
      )}
    >
      {(close) => (
        <>
          <Options {...p} close={close} />
          {p.measured && <ExpressionForm {...p} measured={p.measured} close={close} />}
        </>
      )}
    </Menu>
  );
}
