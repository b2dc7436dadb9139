// SPDX-License-Identifier: Apache-2.0
// Saved views: a menu to go to one, to keep what one sees, to give the link of it to a colleague.
import { useEffect, useState } from "preact/hooks";
import { Bookmark, Check, Link, Monitor, Pencil, Trash2 } from "lucide-preact";
import { go, hrefOf, route } from "~/app/route";
import { Button, Icon, IconButton, Menu } from "~/ui/basic";
import { copyText } from "~/ui/chart/export";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import { VIEW_PARAMS, viewParams } from "./params";
import { borrow, pinned, pinsText, placesOf } from "./pins";
import {
  dropView,
  keepView,
  seeView,
  NAME_MAX,
  readViews,
  refused,
  renameView,
  viewNamed,
  views,
  viewsError,
  viewsRead,
} from "./saved";
import type { GraphView } from "./saved";

const w = words.graph.views;

/** What the view is made of; where the camera stands does not make it another one. */
const essence = (params: object, pins: object) =>
  JSON.stringify([Object.entries({ ...params, cam: "" }).sort(), Object.entries(pins).sort()]);

const WHOLE = "0.5,0.5,1"; // where the camera stands before anybody moves it

const present = (name: string): GraphView => ({
  name,
  params: { cam: WHOLE, ...viewParams(route.peek().params) },
  pins: { ...pinned() },
  updated: "",
});

const current = () => viewNamed(route.value.params.view ?? "");

function changed(): boolean {
  const v = current();
  return v !== undefined && essence(viewParams(route.value.params), pinned()) !== essence(v.params, v.pins);
}

export function apply(v: GraphView): void {
  const params: Record<string, string | null> = { view: v.name, pins: null };
  for (const k of VIEW_PARAMS) params[k] = v.params[k] ?? null;
  seeView(v);
  go({ params, replace: route.peek().params.view === v.name });
  borrow(v.pins);
}

/** An address that names a view and says no more is that view as it is kept; pins come with views and with links. */
export function useNamedView(): void {
  const { view: name = "", pins = "", by = "" } = route.value.params;
  useEffect(() => {
    if (name) void readViews();
  }, [Boolean(name)]);
  const v = name ? viewNamed(name) : undefined;
  const known = v !== undefined;
  useEffect(() => {
    if (known && !Object.keys(viewParams(route.peek().params)).length) apply(v);
    else if (known) seeView(v), borrow((v.params.by ?? "") === by ? v.pins : null);
    else borrow(pins ? placesOf(pins) : null);
  }, [name, known, pins, by]);
  const gone = name !== "" && viewsRead.value && !known;
  useEffect(() => {
    if (gone) tell(w.gone(name), { bad: true });
  }, [gone, name]);
}

async function save(name: string): Promise<void> {
  try {
    const k = await keepView(present(name));
    go({ params: { view: k.name, pins: null }, replace: true });
    borrow(viewNamed(k.name)?.pins ?? null);
    tell(k.here ? w.keptHere(k.name, refused.peek()) : k.met ? w.met(name, k.name) : w.kept(k.name));
  } catch (e) {
    tellError(e);
  }
}

async function drop(v: GraphView): Promise<void> {
  try {
    await dropView(v);
    if (route.peek().params.view === v.name) go({ params: { view: null }, replace: true });
    done(w.dropped(v.name), async () => tell(w.back((await keepView(v)).name)));
  } catch (e) {
    tellError(e);
  }
}

async function rename(v: GraphView, name: string): Promise<void> {
  try {
    if (!(await renameView(v, name))) return tell(w.taken(name), { bad: true });
    if (route.peek().params.view === v.name) go({ params: { view: name }, replace: true });
    done(w.renamed(v.name, name), async () => void (await renameView({ ...v, name }, v.name)));
  } catch (e) {
    tellError(e);
  }
}

/** A saved view as it is kept goes by its name; anything else by all that it is made of. */
function linkOf(): string {
  const v = current();
  const sel = route.peek().params.sel ?? null;
  if (v && !v.here && !changed()) return hrefOf({ fresh: true, params: { view: v.name, sel } });
  const pins = pinsText();
  return hrefOf({ params: { view: null, pins: pins || null } });
}

export async function copyLink(): Promise<void> {
  try {
    await copyText(new URL(linkOf(), location.href).href);
    tell(w.copied);
  } catch (e) {
    tellError(e);
  }
}

function Row({ v, close }: { v: GraphView; close: () => void }) {
  const [name, set] = useState<string | null>(null);
  const is = route.value.params.view === v.name;
  if (name !== null)
    return (
      <form
        class="row views-row"
        onSubmit={(e) => {
          e.preventDefault();
          set(null);
          const to = name.trim();
          if (to && to !== v.name) void rename(v, to);
        }}
      >
        <input
          class="input grow"
          aria-label={w.newName(v.name)}
          value={name}
          maxLength={NAME_MAX}
          ref={(el) => void (el && el !== document.activeElement && el.focus())}
          onInput={(e) => set(e.currentTarget.value)}
        />
        <Button type="submit">{w.rename}</Button>
      </form>
    );
  return (
    <div class="row views-row">
      <button type="button" class="menu-item grow" aria-pressed={is} onClick={() => (apply(v), close())}>
        <span class="grow ellipsis">{v.name}</span>
        {v.here && <Icon of={Monitor} size={14} />}
        {is && <Icon of={Check} size={14} />}
      </button>
      <IconButton name={w.renameIt(v.name)} icon={Pencil} onClick={() => set(v.name)} />
      <IconButton name={w.drop(v.name)} icon={Trash2} onClick={() => void drop(v)} />
    </div>
  );
}

function SaveForm({ close }: { close: () => void }) {
  const [name, set] = useState("");
  const v = current();
  return (
    <div class="column views-save">
      {v && changed() && (
        <Button look="primary" onClick={() => (close(), void save(v.name))}>
          {w.saveInto(v.name)}
        </Button>
      )}
      <form
        class="row"
        onSubmit={(e) => {
          e.preventDefault();
          const as = name.trim();
          if (!as) return;
          if (viewNamed(as) && as !== v?.name) return tell(w.taken(as), { bad: true });
          close();
          void save(as);
        }}
      >
        <input
          class="input grow"
          aria-label={w.name}
          placeholder={w.nameHint}
          maxLength={NAME_MAX}
          value={name}
          onInput={(e) => set(e.currentTarget.value)}
        />
        <Button type="submit" disabled={!name.trim()}>
          {w.save}
        </Button>
      </form>
      <div class="tiny quiet">{refused.value ? w.hereOnly(refused.value) : w.forAll}</div>
    </div>
  );
}

export function ViewsMenu() {
  const v = current();
  const moved = changed();
  return (
    <>
      <Menu
        label={w.title}
        class="views-menu"
        button={(open, shown) => (
          <Button
            class="choice"
            icon={Bookmark}
            aria-expanded={shown}
            aria-label={v ? `${w.title}: ${v.name}${moved ? `, ${w.changed}` : ""}` : w.title}
            title={v && moved ? w.changed : w.title}
            onClick={() => (void readViews(), open())}
          >
            <span class="ellipsis choice-value">{v ? v.name : w.title}</span>
            {moved && <span class="views-changed" />}
          </Button>
        )}
      >
        {(close) => (
          <>
            {views.value.map((x) => (
              <Row key={x.name} v={x} close={close} />
            ))}
            {viewsRead.value && !views.value.length && <div class="menu-title">{w.none}</div>}
            {viewsError.value && <div class="graph-wrong tiny">{viewsError.value}</div>}
            <SaveForm close={close} />
          </>
        )}
      </Menu>
      <IconButton name={w.copy} icon={Link} onClick={() => void copyLink()} />
    </>
  );
}
