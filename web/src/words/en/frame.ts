// SPDX-License-Identifier: Apache-2.0
// What stands around the views: worlds, the connection to the server, the palette, the inspector, what needs somebody.
export const world = {
  live: "LIVE",
  past: (time: string, ago: string) => `PAST ${time}, ${ago}`,
  scenario: (name: string) => `WHAT-IF ${name}`,
  scenarioWord: "WHAT-IF",
  atInstant: (world: string, time: string) => `${world} at ${time}`,
  then: (time: string) => `PAST ${time}`,
  clockIs: (name: string, time: string) => `The clock of ${name}: ${time}`,
  missing: (name: string) => `No world ${name}`,
  discarded: (name: string) => `${name} was discarded`,
  discardedHint: "Somebody dropped this what-if, with everything that was changed in it. Live goes on.",
  noWorld: (name: string) => `There is no world ${name}`,
  noWorldHint: "It was discarded, or the link is mistyped. Live goes on.",
  reading: (world: string) => `Reading ${world}…`,
  noInstant: (text: string) => `“${text}” is no instant such as 2026-11-23T14:00:00Z: you see the world as it is.`,
  all: "All what-ifs",
  notRead: "The worlds could not be read",
  switch: "Choose a world",
  backToLive: "Back to live",
  liveAbout: "Moved by sensors and people, now",
  scenarios: "What-ifs",
  newFork: "Fork what you see",
  fork: "Fork here",
  forkHint: "Make a copy of the world at this instant, yours to change",
  runIt: "Run it…",
  itsRun: "Its run",
  runHint: "Its page: what it changes, how far it runs, what came of it",
  pin: (name: string) => `Show the future of ${name} in the timeline of live`,
  unpin: (name: string) => `Take ${name} out of the timeline of live`,
  forkName: "Name",
  forkAbout: (of: string) => `A copy of ${of}, yours to change. Live is not touched.`,
  forked: (name: string) => `${name} is yours to change.`,
  of: (parent: string) => `of ${parent},`,
  find: "Find a world",
  clock: (t: string) => `its clock ${t}`,
  dropOf: (name: string) => `Drop ${name}`,
  dropTitle: (name: string) => `Drop ${name}?`,
  dropped: (name: string) => `${name} is dropped.`,
  dropSure: (name: string) => `Drop ${name} with everything that was changed in it? This cannot be undone.`,
};

export const link = {
  lost: "The server does not answer. You see what it last told; nothing you typed is lost.",
  unreachable: "The server does not answer. What you see is what it last told.",
  status: (n: number) => `The server answered with status ${n}.`,
  lostFor: (t: string) => `No connection for ${t}. Trying again.`,
  locked: "This server wants a token.",
  unlock: "Sign in",
  token: "Access token",
  tokenHelp: "One line of the server's token file. It is exchanged for a cookie that scripts cannot read.",
  noToken: "Write the token, or ask who runs the server for one.",
  wrongToken: "The server does not know this token.",
};

export const palette = { view: "View", world: "World" };

export const actions = {
  hint: "Action",
  fork: "Fork what you see",
  link: "Copy the link to what you see",
  copied: "The link is copied.",
  dark: "Dark or light",
  system: "Colours as the system",
  density: "Denser or more comfortable",
  compare: "Compare two worlds",
};

export const views = {
  overview: "Overview",
  graph: "Graph",
  map: "Map",
  scene: "3D",
  twins: "Twins",
  whatif: "What-if",
  compare: "Compare",
  ask: "Ask",
  models: "Models",
  connections: "Connections",
  decisions: "Decisions",
};

export const inspector = {
  title: "Details",
  close: "Close the details",
  resize: "More or less of the details",
  properties: "Properties",
  links: "Links",
  commands: "Commands",
  history: "History",
  open: "Open its page",
  gone: (id: string) => `There is no twin “${id}” in this world.`,
  goneHint: "It may have been deleted, or not made yet at this instant.",
};

export const undoing = {
  title: "Undo and redo",
  steps: "Take back",
  again: "Do again",
  none: "Nothing to take back yet",
  redo: "Redo",
  undone: (what: string) => `Taken back: ${what}`,
  refused: (what: string, why: string) => `Not taken back: “${what}” ${why}`,
};

export const needs = {
  title: "What needs you",
  about: "Faults, alarms and decisions that wait show here.",
  asking: "Asking what needs you…",
  notAsked: "What needs you could not be asked",
  count: (n: number) => (n === 0 ? "nothing needs you" : n === 1 ? "1 thing needs you" : `${n} things need you`),
  also: (names: string) => `with it ${names}`,
  since: (t: string) => `since ${t}`,
  long: "for longer than is known",
  back: "Before it began",
  backAbout: "See the world as it was just before it began",
  decide: (rule: string) => `a decision waits: ${rule}`,
  due: (t: string) => `answer ${t}`,
  news: (n: number) => `${n} new things need you`,
};

export const error = {
  title: "That did not work",
  noView: (v: string) => `There is no view “${v}”.`,
  noViewHint: "The link is mistyped, or of another version. All views stand at the edge of the page.",
  toOverview: "To the overview",
  part: "This view could not be loaded: the server does not answer, or it has a newer page. Load the page again.",
  view: "This view stopped because of a mistake in the page.",
};
