// SPDX-License-Identifier: Apache-2.0
// Every text of the page, in English: a file for each view.
import { common } from "./common";
import { world, link, palette, actions, views, inspector, undoing, needs, error } from "./frame";
import { timeline } from "./timeline";
import { tour } from "./tour";
import { overview } from "./overview";
import { twin } from "./twin";
import { chart, rank } from "./chart";
import { graph } from "./graph";
import { map } from "./map";
import { scene } from "./scene";
import { whatif, repair } from "./whatif";
import { compare } from "./compare";
import { kpi } from "./kpi";
import { decisions } from "./decisions";
import { definitions } from "./definitions";
import { ask } from "./ask";
import { models } from "./models";
import { connections } from "./connections";

export const words = {
  ...common,
  world,
  link,
  palette,
  actions,
  views,
  inspector,
  undoing,
  needs,
  error,
  timeline,
  tour,
  overview,
  twin,
  chart,
  rank,
  graph,
  map,
  scene,
  whatif,
  repair,
  compare,
  kpi,
  decisions,
  definitions,
  ask,
  models,
  connections,
};
