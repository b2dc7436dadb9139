// SPDX-License-Identifier: Apache-2.0
// glTF without a request beside the file itself: the content security policy allows neither data: nor blob: to be
// fetched. What a .gltf carries as data: is packed into a .glb; pictures are decoded by image elements.
import { TextureLoader, type Group } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { ApiError } from "~/api/client";
import { words } from "~/words/en";

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
const BIN_CHUNK = 0x004e4942;

interface Doc {
  buffers?: { uri?: string; byteLength: number }[];
  bufferViews?: { buffer: number; byteOffset?: number; byteLength: number }[];
  images?: { uri?: string; bufferView?: number; mimeType?: string }[];
}

function bytesOf(uri: string): { bytes: Uint8Array; type: string } {
  const m = /^data:([^;,]*)(;base64)?,(.*)$/s.exec(uri);
  if (!m) throw new Error(words.scene.external(uri));
  const text = m[2] ? atob(m[3]!) : decodeURIComponent(m[3]!);
  return { bytes: Uint8Array.from(text, (c) => c.charCodeAt(0)), type: m[1]! };
}

const padded = (n: number) => (n + 3) & ~3;

/** A .gltf with everything inside as a .glb. */
export function packed(doc: Doc): ArrayBuffer {
  const parts: Uint8Array[] = [];
  let size = 0;
  const add = (bytes: Uint8Array): number => {
    const at = size;
    parts.push(bytes);
    size = padded(size + bytes.length);
    return at;
  };
  const starts = (doc.buffers ?? []).map((b) => add(bytesOf(b.uri ?? "").bytes));
  const views = (doc.bufferViews ?? []).map((v) => ({
    ...v,
    buffer: 0,
    byteOffset: (v.byteOffset ?? 0) + starts[v.buffer]!,
  }));
  const images = (doc.images ?? []).map((i) => {
    if (i.uri === undefined) return i;
    const { bytes, type } = bytesOf(i.uri);
    views.push({ buffer: 0, byteOffset: add(bytes), byteLength: bytes.length });
    return { bufferView: views.length - 1, mimeType: type };
  });
  const text = new TextEncoder().encode(
    JSON.stringify({
      ...doc,
      buffers: [{ byteLength: size }],
      bufferViews: views,
      ...(images.length ? { images } : {}),
    }),
  );
  const head = padded(text.length);
  const out = new ArrayBuffer(12 + 8 + head + 8 + size);
  const view = new DataView(out);
  const bytes = new Uint8Array(out);
  [MAGIC, 2, out.byteLength, head, JSON_CHUNK].forEach((v, i) => view.setUint32(4 * i, v, true));
  bytes.fill(0x20, 20, 20 + head);
  bytes.set(text, 20);
  view.setUint32(20 + head, size, true);
  view.setUint32(24 + head, BIN_CHUNK, true);
  let at = 28 + head;
  for (const p of parts) {
    bytes.set(p, at);
    at += padded(p.length);
  }
  return out;
}

export async function loadModel(url: string, signal: AbortSignal): Promise<Group> {
  const reply = await fetch(url, { signal });
  if (!reply.ok) throw new ApiError("FileNotFound", words.scene.noModel(url.split("/").pop() ?? url), reply.status);
  let data = await reply.arrayBuffer();
  if (data.byteLength < 4 || new DataView(data).getUint32(0, true) !== MAGIC)
    data = packed(JSON.parse(new TextDecoder().decode(data)) as Doc);
  const loader = new GLTFLoader();
  loader.register((parser) => {
    parser.textureLoader = new TextureLoader(parser.options.manager);
    return { name: "sosia-pictures" };
  });
  return (await loader.parseAsync(data, "")).scene;
}
