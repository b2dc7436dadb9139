// SPDX-License-Identifier: Apache-2.0
// What a connection and an endpoint have alike: name and state, how to try, pause, change and end them, what they
// count, and tabs with what passed and the document itself.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Pause, Pencil, Play, Trash2 } from "lucide-preact";
import type { Doc, LastError } from "~/api/connections";
import { go, isLive, route } from "~/app/route";
import { Ago, Button, Card, Dialog, IconButton, Tabs, type TabOf } from "~/ui/basic";
import { CodeEditor } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import { Advice, StateChip } from "./state";

const w = words.connections;

export type Tile = [title: string, figure: string, bad?: boolean];

interface Props {
  name: string;
  status: { state: string; trouble: string; lastError?: LastError | null };
  about: readonly (string | undefined)[];
  tiles: readonly Tile[];
  last: string | null | undefined; // when something passed last; undefined: that is not counted
  /** The first is shown when nothing is chosen; the document comes after them. */
  tabs: readonly [TabOf<string>, ...TabOf<string>[]];
  of: (show: string) => ComponentChildren;
  document: Doc;
  pause: (on: boolean) => Promise<void>;
  end: { title: string; sure: string; run: () => Promise<unknown>; leave: Record<string, null> };
  actions?: ComponentChildren; // before the others
  children?: ComponentChildren; // what there is to say above the figures
}

/** Asked with the name of what is lost, since it cannot be undone. */
function Ending({ name, end, close }: { name: string; end: Props["end"]; close: () => void }) {
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    try {
      await end.run();
      tell(w.deleted(name));
      go({ params: { ...end.leave, show: null } });
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
    close();
  };
  return (
    <Dialog
      title={end.title}
      open
      close={close}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button look="danger" icon={Trash2} busy={busy} onClick={() => void remove()}>
            {w.deleteIt(name)}
          </Button>
        </>
      }
    >
      <p>{end.sure}</p>
    </Dialog>
  );
}

function Head(p: Props & { remove: () => void }) {
  const [busy, setBusy] = useState(false);
  const paused = p.status.state === "paused";
  const pause = async (on: boolean) => {
    setBusy(true);
    const said = on ? w.isPaused(p.name) : w.isResumed(p.name);
    await p.pause(on).then(() => done(said, () => p.pause(!on)), tellError);
    setBusy(false);
  };
  return (
    <div class="conn-head">
      <div class="grow">
        <div class="row">
          <h2>{p.name}</h2>
          <StateChip state={p.status.state} trouble={p.status.trouble} />
        </div>
        <div class="small quiet">{p.about.filter(Boolean).join(" · ")}</div>
      </div>
      {isLive.value && (
        <div class="row">
          {p.actions}
          <Button icon={paused ? Play : Pause} busy={busy} onClick={() => void pause(!paused)}>
            {paused ? w.resume : w.pause}
          </Button>
          <Button icon={Pencil} onClick={() => go({ params: { edit: "1" } })}>
            {w.edit}
          </Button>
          <IconButton name={w.deleteIt(p.name)} icon={Trash2} onClick={p.remove} />
        </div>
      )}
    </div>
  );
}

function Tiles({ tiles, last }: { tiles: readonly Tile[]; last: Props["last"] }) {
  return (
    <div class="conn-tiles">
      {tiles.map(([title, n, bad]) => (
        <div key={title}>
          <div class="tiny quiet">{title}</div>
          <div class={bad ? "conn-figure wrong" : "conn-figure"}>{n}</div>
        </div>
      ))}
      {last !== undefined && (
        <div>
          <div class="tiny quiet">{w.last}</div>
          <div class="conn-figure">{last ? <Ago time={last} /> : "–"}</div>
        </div>
      )}
    </div>
  );
}

export function Told(p: Props) {
  const [ending, setEnding] = useState(false);
  const first: string = p.tabs[0].id;
  const show = route.value.params.show ?? first;
  return (
    <>
      <Card bare class="conn-detail">
        <Head {...p} remove={() => setEnding(true)} />
        {p.children}
        <Advice trouble={p.status.trouble} last={p.status.lastError} />
        <Tiles tiles={p.tiles} last={p.last} />
        <Tabs<string>
          label={w.what}
          on={show}
          set={(t) => go({ params: { show: t === first ? null : t }, replace: true })}
          tabs={[...p.tabs, { id: "text", title: w.text }]}
        />
        <div class="conn-samples">
          {show === "text" ? (
            <CodeEditor
              id="conn-doc"
              label={w.text}
              value={JSON.stringify(p.document, null, 2)}
              readOnly
              tokens={jsonTokens}
            />
          ) : (
            p.of(show)
          )}
        </div>
      </Card>
      {ending && <Ending name={p.name} end={p.end} close={() => setEnding(false)} />}
    </>
  );
}
