// SPDX-License-Identifier: Apache-2.0
// One change: of a twin's value at once or some time after the beginning, or of a link.
import { useState } from "preact/hooks";
import { Plus } from "lucide-preact";
import { byId } from "~/api/catalogue";
import { wordsOf } from "~/api/client";
import { models, propertyOf, type Property } from "~/api/models";
import { valueAt } from "~/api/twin";
import type { Value } from "~/api/types";
import { Button, Field } from "~/ui/basic";
import { Segment } from "~/ui/segment";
import { parseInput } from "~/views/twin/properties";
import { words } from "~/words/en";
import * as format from "~/format";
import { LinkEditor } from "./linkeditor";
import { TwinPicker } from "./picker";
import { useTwins, valueText } from "./say";

const w = words.whatif;

type Unit = "M" | "H" | "D";
const UNITS: readonly { id: Unit; title: string }[] = [
  { id: "M", title: words.units.min },
  { id: "H", title: words.units.h },
  { id: "D", title: words.units.d },
];
const isoOf = (n: string, unit: Unit): string => {
  const amount = Math.max(0, Math.round(Number(n) || 0));
  return unit === "D" ? `P${amount}D` : `PT${amount}${unit}`;
};

/** A field that fits the property's type. */
export function ValueField(p: {
  id: string;
  p: Property | undefined;
  text: string;
  set: (t: string) => void;
  wrong: string;
  help?: string;
}) {
  const options =
    p.p?.type === "boolean"
      ? [
          { value: "true", name: words.yes },
          { value: "false", name: words.no },
        ]
      : (p.p?.options ?? []);
  return (
    <Field label={w.value} wrong={p.wrong} for={p.id} help={p.help}>
      {options.length ? (
        <select id={p.id} class="select" value={p.text} onChange={(e) => p.set(e.currentTarget.value)}>
          <option value="" disabled />
          {options.map((o) => (
            <option key={o.value} value={String(o.value)}>
              {o.name}
            </option>
          ))}
        </select>
      ) : (
        <div class="with-unit">
          <input
            id={p.id}
            class="input"
            value={p.text}
            disabled={!p.p}
            autocomplete="off"
            aria-invalid={p.wrong !== ""}
            onInput={(e) => p.set(e.currentTarget.value)}
          />
          {p.p?.unit && <span class="quiet small">{format.unitSymbol(p.p.unit)}</span>}
        </div>
      )}
    </Field>
  );
}

export interface Edited {
  at: string; // "" at once
  twin: string;
  property: string;
  value: Value;
}

interface Props {
  world: string;
  twin?: string; // chosen already
  add: (e: Edited) => void | Promise<void>;
  links?: boolean; // links may be changed too
}

export function Editor({ world, twin: first = "", add, links }: Props) {
  const [what, setWhat] = useState<"value" | "link">("value");
  const [twin, setTwin] = useState(first);
  const [property, setProperty] = useState("");
  const [text, setText] = useState("");
  const [when, setWhen] = useState<"now" | "later">("now");
  const [amount, setAmount] = useState("1");
  const [unit, setUnit] = useState<Unit>("H");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const entry = byId.value.get(twin);
  const twins = useTwins(twin ? [twin] : [], world);
  const list = entry
    ? (models.value.get(entry.model)?.properties ?? []).filter((p) => p.type !== "document" && !p.telemetry)
    : [];
  const p = entry ? propertyOf(entry.model, property) : undefined;
  const is = p ? valueAt(twins.get(twin), p.path) : undefined;
  async function submit(e: Event) {
    e.preventDefault();
    if (!p) return;
    const value = parseInput(text, p);
    if (value === undefined) return setWrong(words.twin.notA(p.type));
    setBusy(true);
    try {
      await add({ at: when === "now" ? "" : isoOf(amount, unit), twin, property, value });
      setText("");
      setWrong("");
    } catch (err) {
      setWrong(wordsOf(err));
    }
    setBusy(false);
  }
  return (
    <div class="column" style={{ gap: 12 }}>
      {links && (
        <Segment
          label={w.whatChanges}
          choices={[
            { id: "value", title: w.aValue },
            { id: "link", title: w.aLink },
          ]}
          on={what}
          set={setWhat}
          small
        />
      )}
      {what === "link" ? (
        <LinkEditor world={world} twin={twin} setTwin={setTwin} />
      ) : (
        <form class="plan-form" onSubmit={submit}>
          <TwinPicker id="plan-twin" label={w.twin} twin={twin} set={(t) => (setTwin(t), setProperty(""))} />
          <Field label={w.property} for="plan-property">
            <select
              id="plan-property"
              class="select"
              value={property}
              disabled={!twin}
              onChange={(e) => (setProperty(e.currentTarget.value), setText(""), setWrong(""))}
            >
              <option value="" />
              {list.map((x) => (
                <option key={x.path} value={x.path}>
                  {x.name}
                </option>
              ))}
            </select>
          </Field>
          <ValueField
            id="plan-value"
            p={p}
            text={text}
            set={setText}
            wrong={wrong}
            help={p && (p.type === "text" ? w.isNowText : w.isNow)(valueText(twin, property, is))}
          />
          <div class="field">
            <span class="label">{w.when}</span>
            <div class="row plan-when">
              <Segment
                label={w.when}
                choices={[
                  { id: "now", title: w.atOnce },
                  { id: "later", title: w.later },
                ]}
                on={when}
                set={setWhen}
              />
              {when === "later" && (
                <>
                  <input
                    class="input"
                    type="number"
                    min="1"
                    aria-label={w.afterHowMuch}
                    value={amount}
                    onInput={(e) => setAmount(e.currentTarget.value)}
                  />
                  <select
                    class="select"
                    aria-label={w.afterUnit}
                    value={unit}
                    onChange={(e) => setUnit(e.currentTarget.value as Unit)}
                  >
                    {UNITS.map((u) => (
                      <option key={u.id} value={u.id}>
                        {u.title}
                      </option>
                    ))}
                  </select>
                </>
              )}
            </div>
          </div>
          <Button type="submit" icon={Plus} disabled={!p || (text === "" && p.type !== "text")} busy={busy}>
            {when === "now" ? w.changeIt : w.add}
          </Button>
        </form>
      )}
    </div>
  );
}
