// SPDX-License-Identifier: Apache-2.0
// Ask: a question in the query language, its mistakes under the word, its rows as table, chart, selection or plan.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Bookmark, ChartNetwork, Copy, Play, Route } from "lucide-preact";
import { models } from "~/api/models";
import { go, hrefOf, route, worldName } from "~/app/route";
import { useCommands } from "~/app/palette";
import { Button, Card, Empty, Field, Menu, Skeleton, Tabs, Wrong } from "~/ui/basic";
import { CodeEditor } from "~/ui/code";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { csvOf, MOST, useAnswer, type Found } from "./answer";
import { complete } from "./complete";
import { lex } from "./language";
import { drawable, Picture } from "./picture";
import { Plan } from "./plan";
import { keep, remember } from "./saved";
import { Examples, Side } from "./side";
import { ResultTable } from "./table";
import { shownColumns, twinsIn, type Shown } from "./units";
import "./ask.css";

type As = "table" | "chart" | "plan";
const ON_GRAPH = 500; // twins that an address can carry

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell(words.copied);
  } catch (e) {
    tellError(e);
  }
}

function Save({ query }: { query: string }) {
  const [name, set] = useState("");
  return (
    <Menu
      label={words.ask.save}
      button={(open) => (
        <Button icon={Bookmark} onClick={open} disabled={!query.trim()}>
          {words.ask.save}
        </Button>
      )}
    >
      {(close) => (
        <form
          class="column ask-save"
          onSubmit={(e) => {
            e.preventDefault();
            keep(name.trim(), query);
            tell(words.ask.isSaved(name.trim()));
            close();
          }}
        >
          <Field label={words.ask.name} for="ask-name" help={words.ask.saveHelp}>
            <input
              id="ask-name"
              class="input"
              required
              maxLength={60}
              value={name}
              onInput={(e) => set(e.currentTarget.value)}
            />
          </Field>
          <Button look="primary" type="submit" icon={Bookmark}>
            {words.ask.keep}
          </Button>
        </form>
      )}
    </Menu>
  );
}

function CopyMenu({ rows, columns }: { rows: Found["rows"]; columns: readonly Shown[] }) {
  return (
    <Menu
      label={words.copy}
      button={(open) => (
        <Button icon={Copy} onClick={open}>
          {words.copy}
        </Button>
      )}
    >
      {(close) => (
        <>
          <button type="button" class="menu-item" onClick={() => (close(), void copy(csvOf(rows, columns)))}>
            {words.ask.asCsv}
          </button>
          <button type="button" class="menu-item" onClick={() => (close(), void copy(JSON.stringify(rows, null, 2)))}>
            {words.ask.asJson}
          </button>
          <button type="button" class="menu-item" onClick={() => (close(), void copy(location.href))}>
            {words.ask.link}
          </button>
        </>
      )}
    </Menu>
  );
}

function onGraph(rows: Found["rows"], columns: readonly Shown[]): string | null {
  const ids = [...new Set(rows.flatMap((r) => columns.flatMap((c) => twinsIn(r, c))))].slice(0, ON_GRAPH);
  if (!ids.length) return null;
  const list = ids.map((id) => `'${id.replaceAll(/['\\]/g, "\\$&")}'`).join(", ");
  return hrefOf({ view: "graph", params: { where: `$dtId IN [${list}]` } });
}

function Result({ found, more, as }: { found: Found; more: (all: boolean) => Promise<void>; as: As }) {
  const columns = useMemo(
    () => shownColumns(found.columns, found.rows, found.query),
    [found.columns, found.rows, found.query, models.value], // units come with the models
  );
  const graph = useMemo(() => onGraph(found.rows, columns), [found.rows, columns]);
  if (found.error && !found.rows.length) return found.mistakes.length ? null : <Wrong error={found.error} />;
  if (found.busy && !found.rows.length && !found.plan) return <Skeleton lines={6} />;
  const shown = as === "chart" && !drawable(columns) ? "table" : as;
  const n = found.rows.length;
  return (
    <Card bare class="ask-result">
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
          <a class="button" href={graph}>
            <ChartNetwork class="icon-svg" aria-hidden="true" />
            {words.ask.onGraph}
          </a>
        )}
        {n > 0 && <CopyMenu rows={found.rows} columns={columns} />}
      </header>
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

export default function Ask() {
  const asked = route.value.params.q ?? "";
  const as = (route.value.params.as ?? "table") as As;
  const [text, setText] = useState(asked);
  const [again, setAgain] = useState(0);
  useEffect(() => setText(asked), [asked]);
  const { found, more } = useAnswer(asked, worldName.value, as === "plan", again);
  useEffect(() => {
    if (asked && found.query === asked && !found.busy && !found.error) remember(asked);
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
            <Save query={text} />
            <span class="grow" />
            <span class="small quiet ask-keys">
              <span class="key">Ctrl</span> <span class="key">Enter</span> {words.ask.runs} ·{" "}
              <span class="key">Ctrl</span> <span class="key">Space</span> {words.ask.completes}
            </span>
          </div>
          {asked ? <Result found={found} more={more} as={as} /> : <Examples />}
        </div>
        <Side />
      </div>
    </div>
  );
}
