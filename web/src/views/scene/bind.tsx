// SPDX-License-Identifier: Apache-2.0
// Which part of a model is which twin: found by name, said by hand, kept in the scene's document for everybody.
import { useMemo, useState } from "preact/hooks";
import { Wand } from "lucide-preact";
import { byId, entries, labelOf } from "~/api/catalogue";
import { changeDoc, type SceneDoc } from "~/api/files";
import { go, isLive, select } from "~/app/route";
import { Button } from "~/ui/basic";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";

const w = words.scene;
const SHOWN = 60;

/** "Line 1 / Filler" and "line-1-filler" are one name. */
const plain = (s: string) => s.toLowerCase().replaceAll(/[^a-z0-9]+/g, "");

type Pairs = ReadonlyMap<string, string>; // node, twin; "" takes it away

/** Onto what stands in the document; a node is one twin, a twin one node. */
async function write(name: string, pairs: Pairs): Promise<Pairs> {
  const before = new Map<string, string>();
  await changeDoc<SceneDoc>(name, (d) => {
    if (!d) throw new Error(words.map.planGone(name));
    const nodes = { ...d.nodes };
    for (const [node, twin] of pairs) {
      const was = Object.keys(nodes).find((t) => nodes[t] === node) ?? "";
      before.set(node, was);
      if (was) delete nodes[was];
      if (twin) nodes[twin] = node;
    }
    return { ...d, nodes };
  });
  return before;
}

const save = (name: string, pairs: Pairs, told: string) =>
  write(name, pairs).then((before) => done(told, () => write(name, before).then(() => {})), tellError);

export function Bind({ name, model }: { name: string; model: { nodes: string[]; named: Pairs } }) {
  const [find, setFind] = useState("");
  const [busy, setBusy] = useState(false);
  const twinOf = (node: string) => model.named.get(node) ?? (byId.value.has(node) ? node : "");
  const bound = model.nodes.filter(twinOf).length;
  const list = useMemo(
    () => model.nodes.filter((n) => !find || `${n} ${twinOf(n)}`.toLowerCase().includes(find.toLowerCase())),
    [model, find, byId.value],
  );
  const byName = async () => {
    const taken = new Set(model.nodes.map(twinOf));
    const names = new Map(
      entries.value.flatMap((e) => [[plain(e.label), e.id] as const, [plain(e.id), e.id] as const]),
    );
    const pairs = new Map<string, string>();
    for (const node of model.nodes) {
      const twin = twinOf(node) ? undefined : names.get(plain(node));
      if (!twin || taken.has(twin)) continue;
      pairs.set(node, twin);
      taken.add(twin);
    }
    if (!pairs.size) return tell(w.nothingByName);
    setBusy(true);
    await save(name, pairs, w.boundByName(pairs.size));
    setBusy(false);
  };
  const say = (node: string, twin: string) => {
    if (twin === twinOf(node)) return;
    if (twin && !byId.value.has(twin)) return tell(w.noTwin(twin), { bad: true });
    void save(name, new Map([[node, twin]]), twin ? w.isBound(node, labelOf(twin)) : w.isLoose(node));
  };
  return (
    <section class="scene-bind card column" aria-label={w.bind}>
      <div class="row">
        <p class="small quiet grow">{w.binding(bound, model.nodes.length)}</p>
        <Button look="primary" onClick={() => go({ params: { bind: null }, replace: true })}>
          {words.map.done}
        </Button>
      </div>
      {!isLive.value && <p class="small quiet">{words.map.everyWorld}</p>}
      <div class="row">
        <input
          class="input grow"
          type="search"
          value={find}
          placeholder={w.findNode}
          aria-label={w.findNode}
          onInput={(e) => setFind(e.currentTarget.value)}
        />
        <Button icon={Wand} busy={busy} onClick={() => void byName()}>
          {w.byName}
        </Button>
      </div>
      <datalist id="scene-twins">
        {entries.value.slice(0, 2000).map((e) => (
          <option key={e.id} value={e.id}>
            {e.label}
          </option>
        ))}
      </datalist>
      <ul>
        {list.slice(0, SHOWN).map((node) => (
          <li key={node} class="row scene-node">
            <label class="grow ellipsis small" for={`node-${node}`} title={node}>
              {node}
            </label>
            <input
              id={`node-${node}`}
              class="input"
              list="scene-twins"
              value={twinOf(node)}
              placeholder={w.noneBound}
              onFocus={() => twinOf(node) && select(twinOf(node))}
              onChange={(e) => say(node, e.currentTarget.value.trim())}
            />
          </li>
        ))}
      </ul>
      {list.length > SHOWN && <p class="tiny quiet">{w.moreNodes(list.length - SHOWN)}</p>}
    </section>
  );
}
