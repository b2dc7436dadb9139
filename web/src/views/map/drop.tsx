// SPDX-License-Identifier: Apache-2.0
// Files dropped on a plan, a map or a scene are put on the server, with the document that makes them shown.
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import {
  changeDoc,
  deleteFile,
  docName,
  files,
  fileUrl,
  LARGEST,
  putDoc,
  putFile,
  typeOfName,
  type MapDoc,
  type PlanDoc,
} from "~/api/files";
import { go } from "~/app/route";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";

const stemOf = (name: string) => name.replace(/\.[^.]*$/, "");
const has = (name: string) => (files.peek() ?? []).some((f) => f.name === name);
/** Names as the server takes them. */
const cleanName = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-");

/** A picture's size in pixels; an SVG's own units. */
async function sizeOf(file: Blob): Promise<{ width: number; height: number }> {
  const url = URL.createObjectURL(file);
  try {
    const img = new Image();
    img.src = url;
    await img.decode();
    return { width: img.naturalWidth || 100, height: img.naturalHeight || 60 };
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Put, and told with a way back. */
async function put(name: string, body: Blob): Promise<void> {
  const before = has(name) ? await fetch(fileUrl(name)).then((r) => (r.ok ? r.blob() : null)) : null;
  await putFile(name, body);
  done(before ? words.map.replaced(name) : words.map.put(name), () =>
    before ? putFile(name, before) : deleteFile(name),
  );
}

async function putPicture(name: string, file: Blob): Promise<void> {
  const doc = docName(stemOf(name), "plan");
  const { width, height } = await sizeOf(file);
  await put(name, file);
  if (!has(doc)) {
    const wide = 100; // metres, until somebody says better in the document
    const size = { width: wide, height: (wide * height) / width, assumed: true };
    const plan: PlanDoc = { title: stemOf(name), image: name, ...size, at: {} };
    await putDoc(doc, plan);
  }
  go({ view: "map", params: { doc, cam: null, pan: null } });
}

async function putLayer(name: string, file: Blob): Promise<void> {
  await put(name, file);
  const maps = (files.peek() ?? []).filter((f) => f.name.endsWith(".map.json"));
  const doc = maps[0]?.name ?? docName(stemOf(name), "map");
  await changeDoc<MapDoc>(doc, (map) => {
    const { layers } = map ?? { layers: [] };
    return { title: stemOf(name), ...map, layers: layers.includes(name) ? layers : [...layers, name] };
  });
  go({ view: "map", params: { doc, cam: null, pan: null } });
}

async function putModel(name: string, file: File): Promise<void> {
  await put(name, file);
  const doc = docName(stemOf(name), "scene");
  if (!has(doc)) await putDoc(doc, { title: stemOf(name), model: name, nodes: {} });
  go({ view: "scene", params: { doc, cam: null, pan: null } });
}

export async function take(file: File): Promise<void> {
  const name = cleanName(file.name);
  const type = typeOfName(name);
  if (!type) return tell(words.map.notThese(file.name), { bad: true });
  if (file.size > LARGEST) return tell(words.map.tooLarge(file.name), { bad: true });
  try {
    if (type.startsWith("image/")) await putPicture(name, file);
    else if (type.startsWith("model/")) await putModel(name, file);
    else if (type === "application/geo+json") await putLayer(name, file);
    else await put(name, file);
  } catch (e) {
    tellError(e);
  }
}

export async function takeAll(list: Iterable<File>): Promise<void> {
  for (const f of list) await take(f);
}

export function Drop({ children }: { children: ComponentChildren }) {
  const [over, set] = useState(false);
  const depth = useRef(0);
  const isFile = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false;
  return (
    <div
      class="stage"
      onDragEnter={(e) => isFile(e) && (depth.current++, set(true))}
      onDragLeave={(e) => isFile(e) && --depth.current <= 0 && set(false)}
      onDragOver={(e) => isFile(e) && e.preventDefault()}
      onDrop={(e) => {
        if (!isFile(e)) return;
        e.preventDefault();
        depth.current = 0;
        set(false);
        void takeAll(e.dataTransfer!.files);
      }}
    >
      {children}
      {over && <div class="stage-drop">{words.map.drop}</div>}
    </div>
  );
}
