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
import { startShortcuts } from "./app/shortcuts";
import { startCatalogue } from "./api/catalogue";
import { startDecisions } from "./api/decisions";
import { startWorlds } from "./api/worlds";
import "./app/prefs";

startCatalogue();
startWorlds();
startDecisions();
startShortcuts();
render(<Frame />, document.getElementById("app")!);
