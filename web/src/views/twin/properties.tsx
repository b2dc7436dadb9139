// SPDX-License-Identifier: Apache-2.0
// Properties of a twin: value with unit, how old it is, and where it may be changed, a field in place.
import { useState } from "preact/hooks";
import { Check, Pencil, X } from "lucide-preact";
import { api, wordsOf } from "~/api/client";
import { models, propertyOf, wordsOfName, type Property } from "~/api/models";
import { timesOf, valueAt } from "~/api/twin";
import type { Twin, Value } from "~/api/types";
import { kind, worldName } from "~/app/route";
import { cls, Flash, IconButton } from "~/ui/basic";
import { done } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const STALE_MS = 5 * 60_000; // of a value that comes from a sensor

export interface Shown {
  path: string;
  property?: Property; // none: the model says nothing of it
  value: Value | undefined;
  at?: string;
  sensor: boolean; // it came with the clock of a source
}

function flatten(twin: Twin, prefix: string, of: Record<string, unknown>, out: string[]): void {
  for (const [k, v] of Object.entries(of)) {
    if (k.startsWith("$")) continue;
    const path = prefix ? `${prefix}.${k}` : k;
    const component = typeof v === "object" && v !== null && !Array.isArray(v) && "$metadata" in v;
    if (component) flatten(twin, path, v as Record<string, unknown>, out);
    else out.push(path);
  }
}

/** Everything the model says, with a value or not, and whatever else there is. */
export function shownOf(twin: Twin): Shown[] {
  const model = twin.$metadata.$model;
  const paths = (models.value.get(model)?.properties ?? []).filter((p) => !p.telemetry).map((p) => p.path);
  const there: string[] = [];
  flatten(twin, "", twin, there);
  for (const p of there) if (!paths.includes(p)) paths.push(p);
  return paths.map((path) => {
    const t = timesOf(twin, path);
    return {
      path,
      property: propertyOf(model, path),
      value: valueAt(twin, path),
      at: t.source ?? t.arrived,
      sensor: t.source !== undefined,
    };
  });
}

/** Text of a field to a value of the property's type; undefined: it is none. */
export function parseInput(text: string, p: Property): Value | undefined {
  const t = text.trim();
  switch (p.type) {
    case "number":
      return t !== "" && Number.isFinite(Number(t)) ? Number(t) : undefined;
    case "integer":
      return /^[+-]?\d+$/.test(t) ? Number(t) : undefined;
    case "boolean":
      return t === "true" ? true : t === "false" ? false : undefined;
    case "enum":
      return p.options.find((o) => String(o.value) === t)?.value;
    case "document":
      try {
        return JSON.parse(t) as Value;
      } catch {
        return undefined;
      }
    default:
      return text;
  }
}

export async function patchValue(twin: string, path: string, value: Value, had: boolean, world: string): Promise<void> {
  const pointer = "/" + path.replaceAll(".", "/");
  await api.patch(
    `/digitaltwins/${encodeURIComponent(twin)}`,
    [{ op: had ? "replace" : "add", path: pointer, value }],
    {
      world,
      type: "application/json-patch+json",
    },
  );
}

async function removeValue(twin: string, path: string, world: string): Promise<void> {
  await api.patch(
    `/digitaltwins/${encodeURIComponent(twin)}`,
    [{ op: "remove", path: "/" + path.replaceAll(".", "/") }],
    { world },
  );
}

function Editor({ twin, s, close }: { twin: Twin; s: Shown; close: () => void }) {
  const p = s.property!;
  const [text, set] = useState(
    s.value === undefined ? "" : typeof s.value === "string" ? s.value : JSON.stringify(s.value),
  );
  const [wrong, setWrong] = useState("");
  const world = worldName.value;
  const name = p.name;
  async function save(e: Event) {
    e.preventDefault();
    const v = parseInput(text, p);
    if (v === undefined) return setWrong(words.twin.notA(p.type));
    try {
      const had = s.value !== undefined && s.value !== null;
      const before = s.value;
      await patchValue(twin.$dtId, p.path, v, had, world);
      done(words.twin.changed(name, format.value(v, p.unit)), () =>
        had ? patchValue(twin.$dtId, p.path, before!, true, world) : removeValue(twin.$dtId, p.path, world),
      );
      close();
    } catch (err) {
      setWrong(wordsOf(err));
    }
  }
  const options =
    p.type === "boolean"
      ? [
          { value: "true", name: words.yes },
          { value: "false", name: words.no },
        ]
      : p.options;
  return (
    <form class="prop-edit" onSubmit={save} onKeyDown={(e) => e.key === "Escape" && (e.stopPropagation(), close())}>
      <div class="row">
        {options.length ? (
          <select
            class="select grow"
            aria-label={name}
            value={text}
            autoFocus
            onChange={(e) => set(e.currentTarget.value)}
          >
            <option value="" disabled />
            {options.map((o) => (
              <option key={o.value} value={String(o.value)}>
                {o.name}
              </option>
            ))}
          </select>
        ) : (
          <input
            class="input grow"
            aria-label={name}
            aria-invalid={wrong !== ""}
            value={text}
            autoFocus
            onInput={(e) => set(e.currentTarget.value)}
          />
        )}
        <span class="quiet small">{format.unitSymbol(p.unit)}</span>
        <IconButton name={words.twin.save} icon={Check} type="submit" />
        <IconButton name={words.cancel} icon={X} onClick={close} />
      </div>
      {wrong && (
        <div class="wrong tiny" role="alert">
          {wrong}
        </div>
      )}
    </form>
  );
}

function Row({ twin, s, now }: { twin: Twin; s: Shown; now: number }) {
  const [editing, edit] = useState(false);
  const age = s.at ? now - Date.parse(s.at) : 0;
  const stale = s.sensor && kind.value === "live" && age > STALE_MS;
  const text = format.value(s.value, s.property?.unit);
  const name = s.property?.name ?? wordsOfName(s.path.replaceAll(".", " "));
  const editable = s.property !== undefined && s.property.type !== "document" && kind.value !== "past";
  const title = [
    s.property?.about,
    s.value !== undefined && String(JSON.stringify(s.value)),
    s.at && format.exactTime(s.at),
  ]
    .filter(Boolean)
    .join("\n");
  return (
    <div class={cls("prop", stale && "stale")}>
      <dt class="ellipsis" title={`${s.path}${s.property?.about ? "\n" + s.property.about : ""}`}>
        {name}
      </dt>
      {editing ? (
        <Editor twin={twin} s={s} close={() => edit(false)} />
      ) : (
        <dd title={title}>
          <span class={cls("prop-value", (s.value === undefined || s.value === null) && "quiet")}>
            <Flash text={text} />
          </span>
          {stale && <span class="tiny quiet">{words.old(format.relative(s.at!, now).replace(/ ago$/, ""))}</span>}
          {editable && (
            <button
              type="button"
              class="prop-pen"
              aria-label={words.twin.edit(name)}
              title={words.twin.edit(name)}
              onClick={() => edit(true)}
            >
              <Pencil class="icon-svg" />
            </button>
          )}
        </dd>
      )}
    </div>
  );
}

export function PropertyList({ twin }: { twin: Twin }) {
  const list = shownOf(twin);
  const now = Date.now();
  const groups = new Map<string, Shown[]>();
  for (const s of list) {
    const g = s.property?.component ?? (s.path.includes(".") ? s.path.split(".")[0]! : "");
    groups.set(g, [...(groups.get(g) ?? []), s]);
  }
  return (
    <dl class="props">
      {[...groups].map(([g, all]) => (
        <>
          {g && <div class="menu-title">{wordsOfName(g)}</div>}
          {all.map((s) => (
            <Row
              key={s.path}
              twin={twin}
              s={
                g && s.property
                  ? {
                      ...s,
                      property: {
                        ...s.property,
                        name: s.property.name.replace(/^[^:]*: /, "").replace(/^./, (c) => c.toUpperCase()),
                      },
                    }
                  : s
              }
              now={now}
            />
          ))}
        </>
      ))}
    </dl>
  );
}
