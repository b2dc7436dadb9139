// SPDX-License-Identifier: Apache-2.0
// The frame around every view: rail, bar with world and search, canvas, inspector, timeline.
import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { CircleHelp, MapPinOff, Moon, PanelRight, Search, Sun, SunMoon, Unplug } from "lucide-preact";
import { another, entries, labelOf } from "~/api/catalogue";
import { api, link } from "~/api/client";
import { lostSince } from "~/api/feed";
import { operation } from "~/api/operation";
import { Button, cls, Dialog, Empty, Icon, IconButton, Menu, Skeleton, Wrong } from "~/ui/basic";
import { Toasts } from "~/ui/toast";
import { viewOf } from "~/views";
import { words } from "~/words/en";
import * as format from "~/format";
import { Forward } from "./forward";
import { Inspector, inspectorOpen } from "./inspector";
import { Alerts } from "./needs";
import { Palette, paletteOpen } from "./palette";
import { density, theme } from "./prefs";
import { hrefOf, isMissing, kind, route, selected, view } from "./route";
import { Rail } from "./rail";
import { SignIn } from "./signin";
import { helpOpen, shortcuts } from "./shortcuts";
import { Timeline } from "./timeline";
import { Tour, TourButton } from "./tour";
import { NoWorld, WorldSwitch, worldTitle } from "./world";

function Looks() {
  const icon = theme.value === "dark" ? Moon : theme.value === "light" ? Sun : SunMoon;
  return (
    <Menu
      label={words.theme.title}
      button={(open) => <IconButton class="bar-away" name={words.theme.title} icon={icon} onClick={open} />}
    >
      {() => (
        <>
          <div class="menu-title">{words.theme.title}</div>
          {(["system", "light", "dark"] as const).map((t) => (
            <button type="button" class="menu-item" aria-pressed={theme.value === t} onClick={() => (theme.value = t)}>
              <span class="grow">{words.theme[t]}</span>
              {theme.value === t && "✓"}
            </button>
          ))}
          <div class="menu-title">{words.density.title}</div>
          {(["comfortable", "compact"] as const).map((d) => (
            <button
              type="button"
              class="menu-item"
              aria-pressed={density.value === d}
              onClick={() => (density.value = d)}
            >
              <span class="grow">{words.density[d]}</span>
              {density.value === d && "✓"}
            </button>
          ))}
        </>
      )}
    </Menu>
  );
}

/** Something is selected, wanted, and not the page itself. */
const hasInspector = () => inspectorOpen.value && !!selected.value && !isMissing.value && view.value !== "twin";

function Bar() {
  return (
    <header class="bar">
      <WorldSwitch />
      <Forward class="bar-forward" />
      <Button class="search-button" icon={Search} onClick={() => (paletteOpen.value = true)}>
        <span class="grow label ellipsis" style={{ textAlign: "left" }}>
          {words.search}
        </span>
        <span class="key">Ctrl K</span>
      </Button>
      <Alerts />
      <Looks />
      <IconButton class="bar-away" name={words.shortcuts} icon={CircleHelp} onClick={() => (helpOpen.value = true)} />
      <IconButton
        name={words.inspector.title}
        icon={PanelRight}
        aria-pressed={hasInspector()}
        disabled={!selected.value || view.value === "twin"}
        onClick={() => (inspectorOpen.value = !inspectorOpen.value)}
      />
    </header>
  );
}

function Lost() {
  const [, tick] = useState(0);
  const since = lostSince.value;
  useEffect(() => {
    if (since === null) return;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [since]);
  if (link.value !== "lost") return null;
  return (
    <div class="lost-bar" role="status">
      <Icon of={Unplug} />
      {since === null ? words.link.lost : words.link.lostFor(format.duration(Math.max(1000, Date.now() - since)))}
    </div>
  );
}

/** What is seen is of another world still, and looks it. */
function Reading() {
  return another.value && !isMissing.value ? (
    <div class="lost-bar reading" role="status">
      {words.world.reading(worldTitle())}
    </div>
  ) : null;
}

/** A mistake in one view leaves the others alone. */
class Guard extends Component<{ children: ComponentChildren }, { error?: Error }> {
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  render() {
    if (!this.state.error) return this.props.children;
    return (
      <div class="view page">
        <div class="page-inner">
          <Wrong
            error={new Error(`${words.error.view} ${this.state.error.message}`)}
            retry={() => this.setState({ error: undefined })}
          />
        </div>
      </div>
    );
  }
}

function NoView({ id }: { id: string }) {
  return (
    <div class="view page">
      <div class="page-inner">
        <Empty icon={MapPinOff} title={words.error.noView(id)} hint={words.error.noViewHint}>
          <a class="button primary" href={hrefOf({ view: "overview" })}>
            {words.error.toOverview}
          </a>
        </Empty>
      </div>
    </div>
  );
}

const loaded = new Map<string, ComponentType>();

/** Its parts are of another version than the server's: but only if it answers, the page would be gone for nothing. */
const reloadPage = () => void api.text("/readyz").then(() => location.reload(), () => {});
const AGAIN_MS = 2000;

/** A style that did not arrive is asked for by nobody again: what loads the views takes it for loaded. */
function mendStyles(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')) {
    if (link.sheet) continue;
    link.replaceWith(link.cloneNode());
  }
}

export function Canvas() {
  const id = view.value;
  const [, changed] = useState(0);
  const [failed, fail] = useState<unknown>();
  const [round, turn] = useState(0);
  const v = viewOf(id);
  const load = (otherwise: () => void) =>
    v?.load().then((m) => {
      loaded.set(id, m.default);
      fail(undefined);
      changed((n) => n + 1);
    }, otherwise);
  useEffect(() => {
    if (loaded.has(id)) return fail(undefined);
    if (round) mendStyles();
    void load(() => fail(new Error(words.error.part)));
  }, [id, round]);
  // What could not be loaded is tried again by itself: the server may be back.
  useEffect(() => {
    if (failed === undefined) return;
    const timer = setTimeout(() => turn((n) => n + 1), link.value === "ok" ? AGAIN_MS : 2 * AGAIN_MS);
    return () => clearTimeout(timer);
  }, [failed, link.value]);
  const Shown = loaded.get(id);
  return (
    <main class={cls("canvas", another.value && "another")} id="canvas">
      <Lost />
      <Reading />
      {isMissing.value ? (
        <NoWorld />
      ) : !v ? (
        <NoView id={id} />
      ) : Shown ? (
        <Guard key={id}>
          <Shown />
        </Guard>
      ) : (
        <div class="view page">
          <div class="page-inner">
            {failed ? <Wrong error={failed} retry={() => void load(reloadPage)} /> : <Skeleton lines={6} />}
          </div>
        </div>
      )}
    </main>
  );
}

function Help() {
  return (
    <Dialog
      title={words.shortcuts}
      open={helpOpen.value}
      close={() => (helpOpen.value = false)}
      footer={<TourButton before={() => (helpOpen.value = false)} />}
    >
      <table class="table">
        <tbody>
          {shortcuts().map((s) => (
            <tr key={s.keys + s.title}>
              <td>{s.title}</td>
              <td class="num">
                {(s.keys === " " ? words.space : s.keys).split(/[ +]/).map((k) => (
                  <>
                    <span class="key">{k}</span>{" "}
                  </>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

export function Frame() {
  useEffect(() => {
    const what = view.value === "twin" && selected.value ? labelOf(selected.value) : viewOf(view.value)?.title;
    document.title = [worldTitle(), what, operation.value?.name ?? words.product].filter(Boolean).join(" · ");
  }, [kind.value, route.value, operation.value, entries.value]);
  useEffect(() => {
    if (selected.value && innerWidth > 900) inspectorOpen.value = true;
  }, [selected.value]);
  return (
    <div class={cls("frame", link.value === "lost" && "lost")}>
      <a class="unseen" href="#canvas">
        {words.skip}
      </a>
      <Rail />
      <Bar />
      <Canvas />
      {hasInspector() && <Inspector />}
      <Timeline />
      <Palette />
      <Help />
      <SignIn />
      <Tour />
      <Toasts />
    </div>
  );
}
