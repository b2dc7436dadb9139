// SPDX-License-Identifier: Apache-2.0
// What the tests of the browser app share: the demo as a process, a real Chromium, pages that fail on any error of the
// console. Without Chromium, without web/node_modules or with a server that has no app in it they skip, and say so.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BUILD = process.env.SOSIA_BUILD ?? join(ROOT, "build");
export const SOSIA = process.env.SOSIA_BIN ?? join(BUILD, "sosia");
const CHROMIUM = process.env.SOSIA_CHROMIUM ?? "/usr/bin/chromium";
/** Pictures of every view go here, out of the repository. */
export const SHOTS = process.env.SOSIA_SHOTS ?? join(BUILD, "screenshots");
const SLOW = Number(process.env.SOSIA_TEST_SCALE ?? 1);
export const PATIENCE = 30_000 * SLOW;

const need = createRequire(join(ROOT, "web", "package.json"));

function missing() {
  if (!existsSync(CHROMIUM)) return `${CHROMIUM} not found`;
  if (!existsSync(join(ROOT, "web", "node_modules", "playwright-core"))) return "web/node_modules not found";
  if (!existsSync(join(BUILD, "web", "dist", "index.html"))) return "this build has no browser app";
  return "";
}

/** "" or why the tests are skipped; also printed, once. */
export const skip = missing();
if (skip) console.log(`SKIP web: ${skip}`);

/** The text of axe, to be run in a page. */
export const axeFile = () => need.resolve("axe-core/axe.min.js");

/** A server as a process. stop() ends it; kill() does not let it say anything. */
export class Process {
  static async start(args, ready) {
    const p = new Process();
    p.folder = mkdtempSync(join(tmpdir(), "sosia-web-"));
    p.args = args.map((a) => a.replace("{folder}", p.folder));
    await p.spawn(ready);
    return p;
  }

  async spawn(ready) {
    this.child = spawn(SOSIA, this.args, { stdio: ["ignore", "pipe", "pipe"] });
    this.out = "";
    this.child.stderr.on("data", (d) => (this.out += d));
    this.url = await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`${this.args}: not ready\n${this.out}`)), PATIENCE);
      const look = (d) => {
        this.out += d;
        const m = ready.exec(this.out);
        if (m) {
          clearTimeout(timer);
          done(m[1]);
        }
      };
      this.child.stdout.on("data", look);
      this.child.on("exit", (code) => fail(new Error(`${this.args}: ended with ${code}\n${this.out}`)));
    });
  }

  /** As spawn(), after end(): the demo's server is a process of its own, and goes a moment after who started it. */
  async again(ready) {
    for (let i = 0; ; i++) {
      try {
        return await this.spawn(ready);
      } catch (e) {
        if (i === 50 || !/another process has the store open/.test(e.message)) throw e;
        await new Promise((r) => setTimeout(r, 200));
      }
    }
  }

  async end(signal) {
    if (this.child.exitCode !== null || this.child.signalCode) return;
    const over = new Promise((done) => this.child.on("exit", done));
    this.child.kill(signal);
    await over;
  }

  async stop() {
    await this.end("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The demo that begins now, with nothing behind it and nothing wrong. */
export const demo = (...more) => demoWithPast("--past", "0", "--calm", ...more);
/** The demo as people start it: it has lived 8 hours, and line 1's filler stands since some 40 minutes. */
export const demoWithPast = (...more) =>
  Process.start(
    ["demo", "--data", "{folder}/demo.sosia", "--http", "127.0.0.1:0", ...more],
    /is (?:running|open) at (http:\S+)/,
  );
export const serve = (...more) =>
  Process.start(
    ["serve", "--json", "--data", "{folder}/w.sosia", "--http", "127.0.0.1:0", ...more],
    /"url":"(http[^"]+)"/,
  );

export async function chromium() {
  const { chromium: c } = need("playwright-core");
  return c.launch({
    executablePath: CHROMIUM,
    // Without a GPU the page is drawn by the processor and only WebGL is emulated, as for people without one. With
    // --use-angle=swiftshader the page itself would be drawn through the emulation, ten times slower.
    args: ["--no-sandbox", "--enable-unsafe-swiftshader"],
  });
}

/** A page that remembers what went wrong: `page.wrong` must be empty at the end. `first`: of who was never here. */
export async function open(browser, url, o = {}) {
  const context = await browser.newContext({
    viewport: { width: o.width ?? 1280, height: o.height ?? 800 },
    colorScheme: o.dark ? "dark" : "light",
    reducedMotion: "reduce",
    ...(o.touch ? { hasTouch: true, isMobile: true } : {}),
  });
  // Somebody who has been here: the tour of a first visit would lie over what is tested.
  if (!o.first) await context.addInitScript(() => localStorage.setItem("sosia.tour", '"seen"'));
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.wrong = [];
  page.on("pageerror", (e) => page.wrong.push(String(e)));
  page.on("console", (m) => m.type() === "error" && page.wrong.push(`${m.text()} ${m.location().url}`));
  page.on("request", (r) => {
    if (!r.url().startsWith(url) && !/^(data|blob):/.test(r.url()) && !r.url().startsWith(url.replace("http", "ws"))) {
      page.wrong.push(`a request to elsewhere: ${r.url()}`);
    }
  });
  await o.before?.(page);
  await page.goto(url + (o.hash ? "/" + o.hash : "/"));
  return page;
}

/**
 * Tests with a server and a browser of their own, which end with them. `start` makes the server, `make` the tests, of
 * what it is given: `server` (its process; `server.url` once they run), `at(hash, o)` opens a page (`o.url`: of another
 * server), `done(page)` ends it and fails on anything that went wrong in it; with `refused` answers of the server that
 * refuse are no mistake.
 */
export function suite(title, start, make) {
  const s = {
    server: {},
    at: (hash, o = {}) => open(s.browser, o.url ?? s.server.url, { hash, ...o }),
    done: async (page, refused = false) => {
      assert.deepEqual(refused ? page.wrong.filter((w) => !/Failed to load resource/.test(w)) : page.wrong, []);
      await page.context().close();
    },
  };
  describe(title, { skip: skip || false }, () => {
    before(async () => {
      const [server, browser] = await Promise.all([start(), chromium()]);
      s.browser = browser;
      Object.setPrototypeOf(s.server, server); // who took `server` before it ran has it now
    });
    after(async () => {
      await s.browser?.close();
      await s.server.stop?.();
    });
    make(s);
  });
}

/** "" or why functions of the page cannot be had here: they need no browser, but what bundles them. */
export const noBundle = existsSync(join(ROOT, "web", "node_modules", "vite")) ? "" : "web/node_modules not found";

/**
 * Functions as the page has them: bundled, since they are TypeScript. `files`: a file of web/src with the names of what
 * it gives, or "*" for all of them.
 */
export async function bundled(files) {
  const web = join(ROOT, "web");
  const need = createRequire(createRequire(join(web, "package.json")).resolve("vite"));
  const folder = mkdtempSync(join(tmpdir(), "sosia-bundle-"));
  const from = (file) => JSON.stringify(join(web, "src", file));
  const line = ([file, names]) => `export ${names.startsWith("*") ? names : `{ ${names} }`} from ${from(file)};`;
  try {
    writeFileSync(join(folder, "in.ts"), Object.entries(files).map(line).join("\n"));
    await need("esbuild").build({
      entryPoints: [join(folder, "in.ts")],
      outfile: join(folder, "out.mjs"),
      bundle: true,
      format: "esm",
      platform: "node",
      jsx: "automatic",
      jsxImportSource: "preact",
      nodePaths: [join(web, "node_modules")],
      alias: { "~": join(web, "src") },
      loader: { ".css": "empty" },
      logLevel: "error",
    });
    return await import(pathToFileURL(join(folder, "out.mjs")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function shot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, name + ".png") });
}

/** A phone, a desk, a wall. */
export const SIZES = [
  [390, 844],
  [1280, 800],
  [2560, 1440],
];

/** The view as it is now at every size: NAME-WIDTH.png. */
export async function shots(page, name) {
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(150);
    await shot(page, `${name}-${width}`);
  }
}

/** What of WCAG 2.2 AA the page breaks, in words. */
export async function broken(page) {
  await page.evaluate(readFileSync(axeFile(), "utf8")); // not a script of the page: the policy would refuse it
  return page.evaluate(async () => {
    const r = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
    return r.violations.map((v) => {
      const where = v.nodes.slice(0, 3).map((n) => n.target.join(" "));
      return `${v.id}: ${v.help}: ${where.join(", ")}`;
    });
  });
}

export async function post(url, path, body, method = "POST") {
  const reply = await fetch(`${url}${path}${path.includes("?") ? "&" : "?"}api-version=2023-10-31`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** A server with many twins: areas in areas, twenty in each, and about fifty sensors that are part of each area. A
 *  quarter of the sensors feed another of their area, twelve have a fault: t7, t1007, t2007... */
export async function bigWorld(count = 100_000) {
  const server = await serve();
  const property = (name, schema) => ({ "@type": "Property", name, schema });
  const model = (id, contents) => ({ "@context": "dtmi:dtdl:context;3", "@id": id, "@type": "Interface", contents });
  const partOf = { "@type": "Relationship", name: "partOf" };
  const feeds = { "@type": "Relationship", name: "feeds" };
  await post(server.url, "/models", [
    model("dtmi:bench:Area;1", [property("label", "string"), partOf]),
    model("dtmi:bench:Sensor;1", [
      property("label", "string"),
      property("flow", "double"),
      property("fault", "string"),
      partOf,
      feeds,
    ]),
  ]);
  const areas = count / 50;
  const twins = [];
  const links = [];
  for (let i = 0; i < areas; i++)
    twins.push({ $dtId: `a${i}`, $metadata: { $model: "dtmi:bench:Area;1" }, label: `Area ${i}` });
  for (let i = 0; i < count - areas; i++) {
    twins.push({
      $dtId: `t${i}`,
      $metadata: { $model: "dtmi:bench:Sensor;1" },
      label: `Sensor ${i}`,
      flow: (i * 7919) % 1000,
      ...(i % 1000 === 7 && i < 12_000 ? { fault: "stuck" } : {}),
    });
    if ((i + Math.floor(i / areas)) % 4 === 0 && i + areas < count - areas)
      links.push({ $dtId: `t${i}`, $relationshipId: "f", $relationshipName: "feeds", $targetId: `t${i + areas}` });
    links.push({ $dtId: `t${i}`, $relationshipId: "p", $relationshipName: "partOf", $targetId: `a${i % areas}` });
  }
  for (let i = 1; i < areas; i++)
    links.push({
      $dtId: `a${i}`,
      $relationshipId: "p",
      $relationshipName: "partOf",
      $targetId: `a${Math.floor((i - 1) / 20)}`,
    });
  for (const [section, list] of [
    ["Twins", twins],
    ["Relationships", links],
  ]) {
    for (let i = 0; i < list.length; i += 20_000) {
      const body = [{ Section: section }, ...list.slice(i, i + 20_000)].map((x) => JSON.stringify(x)).join("\n") + "\n";
      await fetch(`${server.url}/import`, {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson" },
        body,
      });
    }
  }
  return server;
}
