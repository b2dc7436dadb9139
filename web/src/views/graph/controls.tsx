// SPDX-License-Identifier: Apache-2.0
// What the graph shows and how, in one bar; on a phone behind one button.
import { useMemo } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { Boxes, CircleDashed, Palette, SlidersHorizontal, Waves } from "lucide-preact";
import { models, wordsOfName, type Property } from "~/api/models";
import { go, route } from "~/app/route";
import { unitSymbol } from "~/format";
import { Button, Menu } from "~/ui/basic";
import { useMedia } from "~/ui/media";
import { words } from "~/words/en";
import { Choice, type Option } from "./choice";
import { flowKeyOf, linkNumbers } from "./flowing";
import { knownKey, type Measured } from "./measure";

const w = words.graph;
const NUMBERS = ["number", "integer"];

function listed(fits: (p: Property) => boolean): Option[] {
  const out = new Map<string, Option>();
  for (const m of models.value.values())
    for (const p of m.properties)
      if (fits(p) && !p.telemetry && !out.has(p.path))
        out.set(p.path, { value: p.path, name: p.name, hint: unitSymbol(p.unit) });
  return [...out.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Properties by which one may colour, and of them those with numbers. */
function useOptions(): { any: Option[]; numbers: Option[] } {
  return useMemo(
    () => ({
      any: listed((p) => [...NUMBERS, "boolean", "enum", "text"].includes(p.type)),
      numbers: listed((p) => NUMBERS.includes(p.type)),
    }),
    [models.value],
  );
}

const useNarrow = () => useMedia("(max-width: 640px)");

const put = (name: string) => (value: string) => go({ params: { [name]: value || null }, replace: true });

function Choices({ colour, size }: { colour: Measured; size: Measured }) {
  const { any, numbers } = useOptions();
  const p = route.value.params;
  const at = (name: string) => ({ value: p[name] ?? "", set: put(name) });
  const known = (name: string) => ({ value: knownKey(p[name] ?? ""), set: put(name) });
  return (
    <>
      <Choice
        id="graph-by"
        icon={Boxes}
        label={w.by}
        short={w.byShort}
        {...at("by")}
        set={(by) => go({ params: { by: by || null, pins: null, cam: null }, replace: true })}
        options={[
          { value: "", name: w.part, brief: w.partShort },
          { value: "model", name: w.model },
        ]}
      />
      <Choice
        id="graph-colour"
        icon={Palette}
        label={w.colour}
        short={w.colourShort}
        {...known("colour")}
        options={[{ value: "", name: w.model }, ...any]}
        measured={colour}
      />
      <Choice
        id="graph-size"
        icon={CircleDashed}
        label={w.size}
        short={w.sizeShort}
        {...known("size")}
        options={[{ value: "", name: w.sizeParts }, ...numbers]}
        measured={size}
      />
      <Choice
        id="graph-flow"
        icon={Waves}
        label={w.flow}
        short={w.flowShort}
        {...at("flow")}
        options={[
          { value: "", name: w.flowOff },
          { value: "auto", name: w.flowAuto, brief: w.flowAutoShort },
          ...linkNumbers().map((n) => ({ value: flowKeyOf(n), name: wordsOfName(n), hint: w.ofLink })),
          ...numbers,
        ]}
      />
    </>
  );
}

export function Controls(p: { colour: Measured; size: Measured; filter: ComponentChildren; end: ComponentChildren }) {
  const { colour, size } = route.value.params;
  const strange = [colour, size].filter((k) => k && models.value.size && !knownKey(k)).map((k) => w.noProperty(k!));
  const errors = [...strange, colour && p.colour.error, size && p.size.error].filter(Boolean);
  const wrong = [...new Set(errors)].map((e) => (
    <div key={e as string} class="graph-wrong tiny" role="alert">
      {e}
    </div>
  ));
  if (!useNarrow())
    return (
      <>
        <div class="graph-bar row" role="toolbar" aria-label={w.controls}>
          <Choices colour={p.colour} size={p.size} />
          {p.filter}
          {p.end}
        </div>
        {wrong}
      </>
    );
  return (
    <>
      <div class="graph-bar row">
        <Menu
          label={w.controls}
          class="graph-sheet"
          button={(open, shown) => (
            <Button icon={SlidersHorizontal} onClick={open} aria-expanded={shown}>
              {w.controls}
            </Button>
          )}
        >
          {() => (
            <div class="column">
              <Choices colour={p.colour} size={p.size} />
              {p.filter}
            </div>
          )}
        </Menu>
        {p.end}
      </div>
      {wrong}
    </>
  );
}
