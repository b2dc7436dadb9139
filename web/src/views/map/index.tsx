// SPDX-License-Identifier: Apache-2.0
// Where things are: floor plans and maps. What there is to choose of is in the files that the server keeps.
import { useEffect, useMemo, useState } from "preact/hooks";
import { entries, reading } from "~/api/catalogue";
import { askFiles, docsOf, files, filesError, useFiles } from "~/api/files";
import { models } from "~/api/models";
import { route } from "~/app/route";
import { Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Drop } from "./drop";
import type { Geo as GeoType } from "./geo";
import { Plan } from "./plan";
import { positions } from "./positions";
import { Teach } from "./teach";
import type { DocChoice } from "./tools";

/** MapLibre is large: it is loaded by the first map, plans do without it. */
function LazyGeo(p: { docs: DocChoice[]; doc: string }) {
  const [Shown, set] = useState<typeof GeoType | null>(null);
  const [error, fail] = useState<unknown>();
  useEffect(() => {
    import("./geo").then((m) => set(() => m.Geo), fail);
  }, []);
  if (Shown) return <Shown {...p} />;
  return (
    <div class="view page">
      <div class="page-inner">
        {error ? <Wrong error={error} retry={() => location.reload()} /> : <Skeleton lines={6} />}
      </div>
    </div>
  );
}

const titleOf = (name: string): string => {
  const stem = name.replace(/\.(plan|map)\.json$/, "");
  return stem.charAt(0).toUpperCase() + stem.slice(1).replaceAll("-", " ");
};

/** Plans first, then maps; without a map's document a map of its own as soon as some twin has a position. */
function useChoices(): DocChoice[] {
  const anywhere = useMemo(() => {
    const of = positions();
    return entries.value.some((e) => of.has(e.model));
  }, [entries.value, models.value]);
  return useMemo(() => {
    const plans = docsOf("plan").map((name) => ({ name, title: titleOf(name) }));
    const maps = docsOf("map").map((name) => ({ name, title: titleOf(name) }));
    if (!maps.length && anywhere) maps.push({ name: "map", title: words.map.world });
    return [...plans, ...maps];
  }, [files.value, anywhere]);
}

export default function MapView() {
  const list = useFiles();
  const choices = useChoices();
  if (!list || (reading.value && !entries.value.length))
    return (
      <div class="view page">
        <div class="page-inner">
          {filesError.value && !list ? (
            <Wrong error={new Error(filesError.value)} retry={askFiles} />
          ) : (
            <Skeleton lines={6} />
          )}
        </div>
      </div>
    );
  const doc = choices.find((c) => c.name === route.value.params.doc) ?? choices[0];
  return (
    <Drop>
      {!doc ? (
        <Teach kind="plan" />
      ) : doc.name.endsWith(".plan.json") ? (
        <Plan key={doc.name} docs={choices} doc={doc.name} />
      ) : (
        <LazyGeo key={doc.name} docs={choices} doc={doc.name} />
      )}
    </Drop>
  );
}
