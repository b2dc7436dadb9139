// SPDX-License-Identifier: Apache-2.0
// Choose a twin by typing a part of its name.
import { X } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { Field, IconButton } from "~/ui/basic";
import { FindTwin } from "~/ui/find";
import { words } from "~/words/en";

interface Props {
  id: string;
  label: string;
  twin: string;
  set: (twin: string) => void;
}

export function TwinPicker({ id, label, twin, set }: Props) {
  return (
    <Field label={label} for={id}>
      {twin ? (
        <div class="picked row">
          <span class="grow ellipsis" title={twin}>
            {labelOf(twin)}
          </span>
          <IconButton name={words.whatif.another} icon={X} onClick={() => set("")} />
        </div>
      ) : (
        <FindTwin id={id} hint={words.whatif.findTwin} over take={(e) => set(e.id)} />
      )}
    </Field>
  );
}
