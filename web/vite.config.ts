// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from "vite";
import { fileURLToPath } from "node:url";

const server = process.env.SOSIA_URL ?? "http://127.0.0.1:7474";

export default defineConfig({
  base: "/",
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    target: "es2022",
    outDir: process.env.SOSIA_WEB_OUT ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy allows no data: but for images
    modulePreload: { polyfill: false },
    cssCodeSplit: true,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
  },
  worker: { format: "es" },
  // `npm run dev`: the page from here, everything else from a server that runs.
  server: {
    fs: { allow: [".."] }, // the table of functions lies beside the C that has them
    proxy: { "^/(?!src|@|node_modules|index.html|$|\\?).*": { target: server, ws: true } },
  },
});
