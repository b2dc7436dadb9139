// SPDX-License-Identifier: Apache-2.0
// Links of a twin in a scenario: add one, take one away. They hold from the beginning of a run.
import { useEffect, useState } from "preact/hooks";
import { ArrowRight, Plus, Unlink } from "lucide-preact";
import { byId, labelOf, shape } from "~/api/catalogue";
import { all, wordsOf } from "~/api/client";
import { models, wordsOfName } from "~/api/models";
import type { Relationship } from "~/api/types";
import { Button, Field, Icon, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import { changed, cutLink, putLink } from "./edits";
import { TwinPicker } from "./picker";

const w = words.whatif;

export function LinkEditor({ world, twin, setTwin }: { world: string; twin: string; setTwin: (t: string) => void }) {
  const [name, setName] = useState("");
  const [target, setTarget] = useState("");
  const [wrong, setWrong] = useState("");
  const [list, setList] = useState<readonly Relationship[]>([]);
  const [round, again] = useState(0);
  useEffect(() => {
    setList([]);
    if (!twin) return;
    const abort = new AbortController();
    all<Relationship>(`/digitaltwins/${encodeURIComponent(twin)}/relationships`, { world, signal: abort.signal }).then(
      setList,
      () => {},
    );
    return () => abort.abort();
  }, [twin, world, round, shape.value]);
  const kinds = models.value.get(byId.value.get(twin)?.model ?? "")?.relationships ?? [];
  const act = async (what: Promise<unknown>) => {
    setWrong("");
    try {
      await what;
      setTarget("");
      changed.value++;
      again(round + 1);
    } catch (e) {
      setWrong(wordsOf(e));
    }
  };
  return (
    <form
      class="column"
      style={{ gap: 12 }}
      onSubmit={(e) => {
        e.preventDefault();
        void act(putLink(world, twin, { relationshipName: name, target }));
      }}
    >
      <div class="plan-form">
        <TwinPicker id="link-twin" label={w.linkFrom} twin={twin} set={(t) => (setTwin(t), setName(""))} />
        <Field label={w.linkName} for="link-name" wrong={wrong}>
          <select
            id="link-name"
            class="select"
            value={name}
            disabled={!kinds.length}
            onChange={(e) => setName(e.currentTarget.value)}
          >
            <option value="" />
            {kinds.map((k) => (
              <option key={k.name} value={k.name}>
                {k.title}
              </option>
            ))}
          </select>
        </Field>
        <TwinPicker id="link-target" label={w.linkTo} twin={target} set={setTarget} />
        <Button type="submit" icon={Plus} disabled={!twin || !name || !target}>
          {w.addLink}
        </Button>
      </div>
      {list.length > 0 && (
        <ul class="change-list-plain small" aria-label={w.itsLinks}>
          {list.map((l) => (
            <li class="change-line" key={l.$relationshipId}>
              <span class="change-what">
                <span class="quiet">{wordsOfName(l.$relationshipName)}</span> <Icon of={ArrowRight} size={12} />{" "}
                {labelOf(l.$targetId)}
              </span>
              <IconButton
                name={w.cutLink(labelOf(l.$targetId))}
                icon={Unlink}
                onClick={() => void act(cutLink(world, twin, l.$relationshipId))}
              />
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}
