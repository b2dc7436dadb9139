// SPDX-License-Identifier: Apache-2.0
// What the tests of the browser app share: the demo as a process, a real Chromium, pages that fail on any error of the
// console. Without Chromium, without web/node_modules or with a server that has no app in it they skip, and say so.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BUILD = process.env.SOSIA_BUILD ?? join(ROOT, "build");
const SOSIA = process.env.SOSIA_BIN ?? join(BUILD, "sosia");
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

export const demo = (...more) =>
  Process.start(
    ["demo", "--data", "{folder}/demo.sosia", "--http", "127.0.0.1:0", ...more],
    /is running at (http:\S+)/,
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
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  });
}

/** A page that remembers what went wrong: `page.wrong` must be empty at the end. */
export async function open(browser, url, o = {}) {
  const context = await browser.newContext({
    viewport: { width: o.width ?? 1280, height: o.height ?? 800 },
    colorScheme: o.dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.wrong = [];
  page.on("pageerror", (e) => page.wrong.push(String(e)));
  page.on("console", (m) => m.type() === "error" && page.wrong.push(m.text()));
  page.on("request", (r) => {
    if (!r.url().startsWith(url) && !/^(data|blob):/.test(r.url()) && !r.url().startsWith(url.replace("http", "ws"))) {
      page.wrong.push(`a request to elsewhere: ${r.url()}`);
    }
  });
  await page.goto(url + (o.hash ? "/" + o.hash : "/"));
  return page;
}

export async function shot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, name + ".png") });
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
