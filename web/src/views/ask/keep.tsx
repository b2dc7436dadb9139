// SPDX-License-Identifier: Apache-2.0
// What one does with a question and its answer: save it, copy it, take its rows along, see its twins in the graph.
import { useState } from "preact/hooks";
import { Bookmark, Copy } from "lucide-preact";
import { keepChosen } from "~/api/chosen";
import type { Row } from "~/api/query";
import { hrefOf } from "~/app/route";
import { Button, Menu, TextField } from "~/ui/basic";
import { copyText, save } from "~/ui/chart/export";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { csvOf } from "./answer";
import { conditionOf } from "./condition";
import { forget, keep, saved, share } from "./saved";
import { twinsIn, type Shown } from "./units";

const IN_ADDRESS = 200; // twins that an address carries as a list

export interface OnGraph {
  href: string;
  about: string;
}

/** The twins of an answer in the graph: by the condition of a plain question, else by their names. */
export function graphOf(query: string, rows: readonly Row[], columns: readonly Shown[]): OnGraph | null {
  const ids = [...new Set(rows.flatMap((r) => columns.flatMap((c) => twinsIn(r, c))))];
  if (!ids.length) return null;
  const to = (where: string) => hrefOf({ view: "graph", params: { where: where || null } });
  const condition = conditionOf(query);
  if (condition !== null) return { href: to(condition), about: words.ask.onGraphAll };
  const about = words.ask.onGraphSome(format.count(ids.length));
  if (ids.length > IN_ADDRESS) return { href: to(keepChosen(ids)), about };
  const list = ids.map((id) => `'${id.replaceAll(/['\\]/g, "\\$&")}'`).join(", ");
  return { href: to(`$dtId IN [${list}]`), about };
}

async function copy(text: string): Promise<void> {
  try {
    await copyText(text);
    tell(words.copied);
  } catch (e) {
    tellError(e);
  }
}

const saveFile = (name: string, type: string, text: string) => save(new Blob([text], { type }), name);

export function Export({ rows, columns }: { rows: readonly Row[]; columns: readonly Shown[] }) {
  const json = () => JSON.stringify(rows, null, 2);
  const items: [string, () => void][] = [
    [words.ask.asCsv, () => void copy(csvOf(rows, columns))],
    [words.ask.asJson, () => void copy(json())],
    [words.ask.link, () => void copy(location.href)],
    [words.ask.saveCsv, () => saveFile("answer.csv", "text/csv", csvOf(rows, columns))],
    [words.ask.saveJson, () => saveFile("answer.json", "application/json", json())],
  ];
  return (
    <Menu
      label={words.copy}
      button={(open) => (
        <Button icon={Copy} onClick={open}>
          {words.copy}
        </Button>
      )}
    >
      {(close) =>
        items.map(([title, run]) => (
          <button key={title} type="button" class="menu-item" onClick={() => (close(), run())}>
            {title}
          </button>
        ))
      }
    </Menu>
  );
}

async function saveQuestion(name: string, query: string, all: boolean): Promise<void> {
  if (!all) {
    const before = saved.peek().find((s) => s.name === name);
    keep(name, query);
    done(words.ask.isSaved(name), async () => (before ? keep(name, before.query) : forget(name)));
    return;
  }
  const before = await share(name, query);
  done(words.ask.isShared(name), () => share(name, before).then(() => {}));
}

export function Save({ query }: { query: string }) {
  const [name, set] = useState("");
  const [all, setAll] = useState(false);
  const [unnamed, setUnnamed] = useState(false);
  const choice = (of: boolean, title: string) => (
    <label class="row small">
      <input type="radio" name="ask-whose" checked={all === of} onChange={() => setAll(of)} /> {title}
    </label>
  );
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
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            if (!name.trim()) return setUnnamed(true);
            void saveQuestion(name.trim(), query, all).catch(tellError);
            close();
          }}
        >
          <TextField
            id="ask-name"
            label={words.ask.name}
            help={words.ask.saveHelp}
            wrong={unnamed ? words.ask.noName : ""}
            required
            maxLength={60}
            value={name}
            set={(t) => (set(t), setUnnamed(false))}
          />
          <fieldset class="ask-whose" aria-label={words.ask.whose}>
            {choice(false, words.ask.forMe)}
            {choice(true, words.ask.forAll)}
          </fieldset>
          <Button look="primary" type="submit" icon={Bookmark}>
            {words.ask.keep}
          </Button>
        </form>
      )}
    </Menu>
  );
}
