// SPDX-License-Identifier: Apache-2.0
import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/ui.css";
import "./styles/frame.css";
import "./styles/timeline.css";
import "./styles/twin.css";
import "./styles/overview.css";
import { render } from "preact";
import { Frame } from "./app/frame";
import { pane } from "./app/pane";
import { startActions } from "./app/actions";
import { startNotes } from "./app/notes";
import { startShortcuts } from "./app/shortcuts";
import { startCatalogue } from "./api/catalogue";
import { startDecisions } from "./api/decisions";
import { startHolds } from "./api/holds";
import { startRuns } from "./api/runs";
import { startWorlds } from "./api/worlds";
import "./app/prefs";

startCatalogue();
startWorlds();
startDecisions();
startHolds();
startRuns();
startShortcuts();
startActions();
const root = document.getElementById("app")!;
if (pane) void import("./app/paneframe").then((m) => render(<m.PaneFrame />, root));
else {
  startNotes();
  render(<Frame />, root);
}
