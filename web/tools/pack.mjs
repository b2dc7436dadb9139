// SPDX-License-Identifier: Apache-2.0
// node pack.mjs DIST OUT   Pack the files of DIST: OUT/assets.bin holds them one behind the other, OUT/assets_table.c
// is the table of src/serve/assets.h over it. The same files give the same bytes.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
  png: "image/png",
  webp: "image/webp",
  json: "application/json",
  webmanifest: "application/manifest+json",
  glb: "model/gltf-binary",
  gltf: "model/gltf+json",
  geojson: "application/geo+json",
  txt: "text/plain; charset=utf-8",
};
const PACKED_ALREADY = new Set(["woff2", "png", "webp"]);

function* walk(folder, prefix = "") {
  for (const e of readdirSync(folder, { withFileTypes: true })) {
    if (e.isDirectory()) yield* walk(join(folder, e.name), `${prefix}${e.name}/`);
    else yield prefix + e.name;
  }
}

const [dist, out] = process.argv.slice(2).map((p) => resolve(p));
const paths = [...walk(dist)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const parts = [];
const rows = [];
let at = 0;
for (const path of paths) {
  const bytes = readFileSync(join(dist, path));
  const ext = path.split(".").pop();
  const type = TYPES[ext];
  if (!type) throw new Error(`${path}: no type for .${ext}`);
  const gz = PACKED_ALREADY.has(ext) ? bytes : gzipSync(bytes, { level: 9 });
  const packed = gz.length < bytes.length;
  const put = packed ? gz : bytes;
  const etag = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const hashed = /^assets\/.*-[\w-]{8}\.\w+$/.test(path);
  rows.push(`    {"${path}", "${type}", "\\"${etag}\\"", assets_bytes + ${at}, ${put.length}, ${packed}, ${hashed}},`);
  parts.push(put);
  at += put.length;
}
mkdirSync(out, { recursive: true });
const bin = join(out, "assets.bin");
writeFileSync(bin, Buffer.concat(parts));
writeFileSync(
  join(out, "assets_table.c"),
  `// Written by web/tools/pack.mjs.
#include "serve/assets.h"

__asm__(".pushsection .rodata\\n"
        ".global assets_bytes\\n"
        "assets_bytes:\\n"
        ".incbin \\"${bin}\\"\\n"
        ".byte 0\\n"
        ".popsection\\n");
extern const unsigned char assets_bytes[];

const Asset assets[] = {
${rows.join("\n")}
};
const int assets_count = ${rows.length};
`,
);
console.log(`${rows.length} files, ${Math.round(at / 1024)} kB packed`);
