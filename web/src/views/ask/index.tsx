// SPDX-License-Identifier: Apache-2.0
// Ask: a question in the query language, its mistakes under the word, its rows as table, chart, selection or plan.
import { useEffect, useMemo, useState } from "preact/hooks";
import { ChartNetwork, Play, Route, Square } from "lucide-preact";
import { ApiError } from "~/api/client";
import { models } from "~/api/models";
import { go, route, worldName } from "~/app/route";
import { useCommands } from "~/app/palette";
import { Button, Card, cls, Empty, Skeleton, Tabs, Wrong } from "~/ui/basic";
import { CodeEditor } from "~/ui/code";
import { words } from "~/words/en";
import * as format from "~/format";
import { MOST, useAnswer, type Found } from "./answer";
import { complete } from "./complete";
import { lex } from "./language";
import { drawable, Picture } from "./picture";
import { Plan } from "./plan";
import { Export, graphOf, Save } from "./keep";
import { remember } from "./saved";
import { Examples, Side } from "./side";
import { ResultTable } from "./table";
import { shownColumns } from "./units";
import "./ask.css";

type As = "table" | "chart" | "plan";

interface Shows {
  found: Found;
  more: (all: boolean) => Promise<void>;
  again: () => void;
  as: As;
}

function Result({ found, more, again, as }: Shows) {
  const columns = useMemo(
    () => shownColumns(found.columns, found.rows, found.query),
    [found.columns, found.rows, found.query, models.value], // units come with the models
  );
  const graph = useMemo(() => graphOf(found.query, found.rows, columns), [found.query, found.rows, columns]);
  if (found.error && !found.rows.length) {
    return found.mistakes.length ? null : <Refused error={found.error} retry={again} />;
  }
  if (found.busy && !found.rows.length && !found.plan) return <Skeleton lines={6} />;
  if (found.stopped && !found.rows.length) return <div class="notice attention">{words.ask.stopped}</div>;
  const shown = as === "chart" && !drawable(columns) ? "table" : as;
  const n = found.rows.length;
  return (
    <Card bare class={cls("ask-result", found.world !== worldName.value && "asking")}>
      <header class="ask-head">
        <Tabs<As>
          label={words.ask.result}
          on={shown}
          set={(t) => go({ params: { as: t === "table" ? null : t } })}
          tabs={[
            { id: "table", title: words.ask.table },
            { id: "chart", title: words.ask.chart },
            { id: "plan", title: words.ask.plan },
          ]}
        />
        <span class="grow small quiet" role="status">
          {found.plan ? "" : words.ask.told(format.count(n), n, found.token !== null)}{" "}
          {!found.busy && words.ask.took(format.duration(found.ms))}
        </span>
        {n > 0 && graph && (
          <a class="button" href={graph.href} title={graph.about}>
            <ChartNetwork class="icon-svg" aria-hidden="true" />
            {words.ask.onGraph}
          </a>
        )}
        {n > 0 && <Export rows={found.rows} columns={columns} />}
      </header>
      {found.error !== undefined && <Refused error={found.error} retry={() => void more(false)} />}
      {found.stopped && <div class="notice attention ask-notice">{words.ask.stopped}</div>}
      {found.notes.map((note) => (
        <div key={note} class="notice attention ask-notice">
          {note.charAt(0).toUpperCase() + note.slice(1)}
        </div>
      ))}
      {found.plan ? (
        <Plan steps={found.plan} />
      ) : n === 0 ? (
        <Empty title={words.ask.noRows} hint={words.ask.noRowsHint} />
      ) : shown === "chart" ? (
        <Picture rows={found.rows} columns={columns} />
      ) : (
        <ResultTable rows={found.rows} columns={columns} />
      )}
      {found.token !== null && !found.plan && (
        <footer class="row ask-more">
          <Button onClick={() => void more(false)} busy={found.busy} disabled={n >= MOST}>
            {words.ask.more}
          </Button>
          <Button onClick={() => void more(true)} busy={found.busy} disabled={n >= MOST}>
            {words.ask.all}
          </Button>
          <span class="small quiet">
            {n >= MOST ? words.ask.tooMany(format.count(MOST)) : route.value.params.sort ? words.ask.sortedOf : ""}
          </span>
        </footer>
      )}
    </Card>
  );
}

/** What the server said, and what may be done about it. */
function Refused({ error, retry }: { error: unknown; retry: () => void }) {
  const e = error instanceof ApiError ? error : null;
  const hint =
    e?.code === "TimeoutError"
      ? words.ask.tooLong
      : e?.status === 429
        ? words.ask.tooMuch
        : e?.status === 503
          ? words.ask.busy
          : "";
  return (
    <div class="ask-notice">
      <Wrong error={error} retry={retry} />
      {hint && <p class="small ask-hint">{hint}</p>}
    </div>
  );
}

/** How long one waits already; after a while, and with a way out. */
function Waiting({ since, stop }: { since: number; stop: () => void }) {
  const [ms, set] = useState(0);
  useEffect(() => {
    const tick = () => set(performance.now() - since);
    tick();
    const timer = setInterval(tick, 500);
    return () => clearInterval(timer);
  }, [since]);
  return (
    <>
      <Button icon={Square} onClick={stop}>
        {words.ask.stop}
      </Button>
      {ms > 900 && <span class="small quiet num">{words.ask.asking(format.duration(ms))}</span>}
    </>
  );
}

export default function Ask() {
  const asked = route.value.params.q ?? "";
  const as = (route.value.params.as ?? "table") as As;
  const [text, setText] = useState(asked);
  const [again, setAgain] = useState(0);
  useEffect(() => setText(asked), [asked]);
  const { found, more, stop } = useAnswer(asked, worldName.value, as === "plan", again);
  useEffect(() => {
    if (asked && found.query === asked && !found.busy && !found.error && !found.stopped) remember(asked);
  }, [found]);
  const run = (how?: As) => {
    const q = text.trim();
    if (!q) return;
    const keepAs = how ?? (as === "plan" ? "table" : as);
    if (q === asked && keepAs === as) setAgain((n) => n + 1);
    else
      go({
        params: {
          q,
          as: keepAs === "table" ? null : keepAs,
          ...(q === asked ? {} : { sort: null, down: null, of: null }),
        },
      });
  };
  useCommands(
    () => [{ id: "ask:run", title: words.ask.run, icon: Play, hint: words.views.ask, run: () => run() }],
    [text, asked],
  );
  const refused = asked !== "" && found.error !== undefined && !found.rows.length;
  const mistakes = text === found.query ? found.mistakes : [];
  return (
    <div class="view page">
      <div class="page-inner ask">
        <div class="ask-main">
          <div class="page-head">
            <h1>{words.ask.title}</h1>
          </div>
          <CodeEditor
            id="ask-query"
            label={words.ask.query}
            value={text}
            set={setText}
            tokens={lex}
            mistakes={mistakes}
            complete={complete}
            run={() => run()}
            rows={3}
            placeholder={words.ask.placeholder}
            autoFocus={!asked && innerWidth > 900}
          />
          <div class="row ask-bar">
            <Button look="primary" icon={Play} onClick={() => run()} busy={found.busy} disabled={!text.trim()}>
              {words.ask.run}
            </Button>
            <Button icon={Route} onClick={() => run("plan")} disabled={!text.trim()}>
              {words.ask.explain}
            </Button>
            {found.busy ? <Waiting since={found.since ?? 0} stop={stop} /> : <Save query={text} />}
            <span class="grow" />
            <span class="small quiet ask-keys">
              <span class="key">Ctrl</span> <span class="key">Enter</span> {words.ask.runs} ·{" "}
              <span class="key">Ctrl</span> <span class="key">Space</span> {words.ask.completes}
            </span>
          </div>
          {asked && <Result found={found} more={more} again={() => setAgain((n) => n + 1)} as={as} />}
          {refused && !/^\s*select\b/i.test(asked) && (
            <div class="notice attention ask-notice">{words.ask.language}</div>
          )}
          {(!asked || refused) && <Examples />}
        </div>
        <Side />
      </div>
    </div>
  );
}
