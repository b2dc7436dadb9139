// SPDX-License-Identifier: Apache-2.0
// One rule: what it says in words, and its text to be changed, with mistakes where they are.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Save, Trash2 } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { wordsOf } from "~/api/client";
import { dropRule, putRule, readRule, rules, type Rule } from "~/api/decisions";
import { useKpiNames } from "~/api/kpis";
import { modelName } from "~/api/models";
import { go } from "~/app/route";
import { Button, Card, Dialog, Field, Skeleton, Wrong } from "~/ui/basic";
import { CodeEditor, type Mistake } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { done, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { limitText } from "./alternatives";
import { mistakesOf } from "./places";
import { ModeOf } from "./rules";

const w = words.decisions;
const span = (iso: string) => format.duration(format.isoDuration(iso));

/** The rule as sentences; of a text that is being written, as far as it says something. */
function Sentences({ r }: { r: Partial<Rule> }) {
  const kpis = useKpiNames();
  const rows: [string, preact.ComponentChildren][] = [];
  if (r.model || r.twin) rows.push([w.say.watches, r.twin ? labelOf(r.twin) : w.say.every(modelName(r.model!))]);
  if (r.when)
    rows.push([
      w.whenHolds,
      <>
        <code>{r.when}</code>
        {r.for && ` ${w.holdsFor(span(r.for))}`}
      </>,
    ]);
  if (r.actions?.length)
    rows.push([
      w.say.tries,
      <ul>
        <li>{w.nothing}</li>
        {r.actions.map((a) => (
          <li key={a.name}>
            {a.title ?? a.name}
            {a.cost ? <span class="quiet"> · {w.say.costs(format.number(a.cost))}</span> : null}
            {!a.command && <span class="quiet"> · {w.say.byPeople}</span>}
          </li>
        ))}
      </ul>,
    ]);
  if (r.ahead) rows.push([w.say.how, w.tried(r.replications ?? 30, span(r.ahead))]);
  if (r.objective) rows.push([w.say.best, kpis.title(r.objective.kpi)]);
  if (r.limits?.length) rows.push([w.limits, r.limits.map((l) => limitText(l, kpis)).join(", ")]);
  const mode = r.mode ?? "approve";
  const approval =
    mode === "approve"
      ? w.say.approval(
          r.approval?.people ?? 1,
          span(r.approval?.within ?? "PT15M"),
          (r.approval?.else ?? "refuse") === "act",
        )
      : w.modeHint[mode];
  rows.push([w.say.then, approval]);
  if (r.watch) rows.push([w.say.watch, w.say.watched(kpis.title(r.watch.kpi), span(r.watch.for))]);
  return (
    <dl class="sentences">
      {rows.map(([t, d]) => (
        <>
          <dt class="quiet">{t}</dt>
          <dd>{d}</dd>
        </>
      ))}
    </dl>
  );
}

const print = (r: unknown): string => JSON.stringify(r, null, 2);

function parsed(text: string): Partial<Rule> | undefined {
  try {
    const v = JSON.parse(text) as Partial<Rule>;
    return v && typeof v === "object" && !Array.isArray(v) ? v : undefined;
  } catch {
    return undefined;
  }
}

const FIRST = {
  title: "",
  twin: "",
  when: "",
  for: "PT1M",
  mode: "shadow",
  ahead: "PT1H",
  objective: { kpi: "" },
  actions: [{ name: "first", title: "", changes: [{ at: "PT0S", twin: "$twin", property: "", value: 0 }] }],
};

function Drop({ name, title }: { name: string; title: string }) {
  const [open, set] = useState(false);
  const drop = async () => {
    set(false);
    try {
      const text = await readRule(name);
      await dropRule(name);
      go({ params: { rule: null } });
      done(w.ruleGone(title), async () => void (await putRule(name, text)));
    } catch (e) {
      tellError(e);
    }
  };
  return (
    <>
      <Button look="danger" icon={Trash2} onClick={() => set(true)}>
        {w.dropRule}
      </Button>
      <Dialog
        title={w.dropRuleTitle(title)}
        open={open}
        close={() => set(false)}
        footer={
          <>
            <Button onClick={() => set(false)}>{words.cancel}</Button>
            <Button look="danger" icon={Trash2} onClick={() => void drop()}>
              {w.dropRule}
            </Button>
          </>
        }
      >
        <p>{w.dropRuleSure}</p>
      </Dialog>
    </>
  );
}

export function RulePage({ name }: { name: string }) {
  const fresh = name === "*";
  const [called, call] = useState(fresh ? "" : name);
  const [before, setBefore] = useState(fresh ? print(FIRST) : "");
  const [text, write] = useState(before);
  const [error, fail] = useState<unknown>();
  const [complaint, complain] = useState("");
  const [busy, setBusy] = useState(false);
  const typed = useRef<{ text: string; edited: boolean; mine: Partial<Rule> | undefined }>({
    text,
    edited: false,
    mine: undefined,
  });
  const known = rules.value.find((r) => r.name === name);
  useEffect(() => {
    if (fresh) return;
    const abort = new AbortController();
    readRule(name, abort.signal).then(
      (r) => {
        setBefore(print(r));
        const { edited, mine } = typed.current;
        // What was typed stays; how bold the rule is was chosen above.
        write(edited ? (mine ? print({ ...mine, mode: r.mode }) : typed.current.text) : print(r));
      },
      (e: unknown) => !abort.signal.aborted && fail(e),
    );
    return () => abort.abort();
  }, [name, known?.mode]);
  const mistakes = useMemo<Mistake[]>(() => (complaint ? mistakesOf(text, complaint) : []), [complaint]);
  const rule = useMemo(() => parsed(text), [text]);
  typed.current = { text, edited: before !== "" && text !== before, mine: rule };
  async function save() {
    setBusy(true);
    complain("");
    try {
      JSON.parse(text);
    } catch {
      // The server says where: browsers do not all.
    }
    try {
      await putRule(called, rule ?? text);
      const back = before;
      if (fresh) go({ params: { rule: called }, replace: true });
      else
        done(w.ruleSaved(rule?.title ?? called), async () => {
          await putRule(called, JSON.parse(back));
          setBefore(back);
          write(back);
        });
      setBefore(text);
    } catch (e) {
      complain(wordsOf(e));
    }
    setBusy(false);
  }
  if (error !== undefined) return <Wrong error={error} />;
  if (!before) return <Skeleton lines={10} />;
  return (
    <div class="rule-page">
      <Card title={w.inWords} actions={known && <ModeOf rule={known} />}>
        {rule ? <Sentences r={rule} /> : <p class="quiet">{w.noJson}</p>}
      </Card>
      <Card
        title={w.asText}
        actions={
          <>
            {!fresh && <Drop name={name} title={known?.title ?? name} />}
            <Button
              look="primary"
              icon={Save}
              busy={busy}
              disabled={!called || (text === before && !fresh)}
              onClick={() => void save()}
            >
              {fresh ? w.create : w.save}
            </Button>
          </>
        }
      >
        <div class="column" style={{ gap: 12 }}>
          {fresh && (
            <Field label={w.ruleName} for="rule-name" help={words.whatif.nameHelp}>
              <input
                id="rule-name"
                class="input"
                value={called}
                autocomplete="off"
                onInput={(e) => call(e.currentTarget.value)}
              />
            </Field>
          )}
          <CodeEditor
            id="rule-text"
            label={w.asText}
            value={text}
            set={(t) => (write(t), complain(""))}
            tokens={jsonTokens}
            mistakes={mistakes}
            rows={20}
            run={() => void save()}
          />
        </div>
      </Card>
    </div>
  );
}
