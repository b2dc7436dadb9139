// SPDX-License-Identifier: Apache-2.0
// A new link: its kind from the model, its target among the twins that kind may lead to.
import { useState } from "preact/hooks";
import { offered, type Entry } from "~/api/catalogue";
import { modelName, models, type Model } from "~/api/models";
import type { Relationship, Twin } from "~/api/types";
import { worldName } from "~/app/route";
import { wordsOf } from "~/api/client";
import { Button, Field } from "~/ui/basic";
import { FindTwin } from "~/ui/find";
import { words } from "~/words/en";
import { addLink, linkId, linkName } from "./edits";

interface Props {
  twin: Twin;
  kinds: Model["relationships"];
  there: readonly Relationship[];
  close: () => void;
}

/** Whether a link that leads to `target` may end at a twin of that model. */
export const mayEndAt = (model: string, target: string): boolean =>
  !target || (models.peek().get(model)?.ancestors.has(target) ?? false);

export function LinkForm({ twin, kinds, there, close }: Props) {
  const [name, setName] = useState(kinds[0]!.name);
  const [wrong, fail] = useState("");
  const [busy, setBusy] = useState(false);
  const world = worldName.value;
  const target = kinds.find((k) => k.name === name)?.target ?? "";
  async function link(e: Entry) {
    if (there.some((l) => l.$relationshipName === name && l.$targetId === e.id))
      return fail(words.twin.linkThere(e.label));
    setBusy(true);
    fail("");
    const l: Relationship = {
      $relationshipId: linkId(name, e.id, new Set(there.map((x) => x.$relationshipId))),
      $sourceId: twin.$dtId,
      $targetId: e.id,
      $relationshipName: name,
    };
    try {
      await addLink(world, l, linkName(l, e.label));
      close();
    } catch (err) {
      fail(wordsOf(err));
      setBusy(false);
    }
  }
  return (
    <form
      class="column"
      onSubmit={(e) => e.preventDefault()}
      onInput={() => fail("")}
      onKeyDown={(e) => e.key === "Escape" && (e.stopPropagation(), close())}
    >
      <Field label={words.twin.linkKind} for="link-kind">
        <select id="link-kind" class="select" value={name} onChange={(e) => setName(e.currentTarget.value)}>
          {kinds.map((k) => (
            <option key={k.name} value={k.name}>
              {k.title}
            </option>
          ))}
        </select>
      </Field>
      <Field
        label={words.twin.linkTarget}
        for="link-target"
        help={target ? words.twin.linkTo(modelName(target)) : words.twin.linkAny}
        wrong={wrong}
      >
        <FindTwin
          id="link-target"
          hint={words.twin.linkFind}
          none={words.twin.linkNone}
          focus
          keep
          leave={close}
          among={(text, limit) => offered(text, limit, (e) => e.id !== twin.$dtId && mayEndAt(e.model, target))}
          deps={[target]}
          take={(e) => busy || void link(e)}
        />
      </Field>
      <div class="row">
        <Button onClick={close}>{words.cancel}</Button>
      </div>
    </form>
  );
}
