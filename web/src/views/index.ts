// SPDX-License-Identifier: Apache-2.0
// The views, in the order of the rail. Each is a folder with an index.tsx that exports a component as default; it is
// loaded when it is first opened.
import type { ComponentType } from "preact";
import {
  Box,
  Boxes,
  Cable,
  ChartNetwork,
  Columns2,
  GitFork,
  LayoutDashboard,
  Map,
  MessageCircleQuestionMark,
  Scale,
  Shapes,
  type LucideIcon,
} from "lucide-preact";
import { needed } from "~/api/holds";
import { words } from "~/words/en";

export interface View {
  id: string;
  title: string;
  icon: LucideIcon;
  key: string; // after "g": go there
  load: () => Promise<{ default: ComponentType }>;
  hidden?: boolean; // not on the rail
  pages?: string; // the view of one of what this one lists
  badge?: () => number; // how much waits there for somebody
}

export const views: readonly View[] = [
  { id: "overview", title: words.views.overview, icon: LayoutDashboard, key: "o", load: () => import("./overview") },
  { id: "graph", title: words.views.graph, icon: ChartNetwork, key: "g", load: () => import("./graph") },
  { id: "map", title: words.views.map, icon: Map, key: "p", load: () => import("./map") },
  { id: "scene", title: words.views.scene, icon: Box, key: "3", load: () => import("./scene") },
  {
    id: "twins",
    title: words.views.twins,
    icon: Boxes,
    key: "t",
    load: () => import("./twin/all"),
    pages: "twin",
  },
  { id: "twin", title: words.views.twins, icon: Boxes, key: "", load: () => import("./twin"), hidden: true },
  { id: "whatif", title: words.views.whatif, icon: GitFork, key: "w", load: () => import("./whatif") },
  { id: "compare", title: words.views.compare, icon: Columns2, key: "v", load: () => import("./compare") },
  {
    id: "decisions",
    title: words.views.decisions,
    icon: Scale,
    key: "d",
    load: () => import("./decisions"),
    badge: () => needed.value.length,
  },
  { id: "ask", title: words.views.ask, icon: MessageCircleQuestionMark, key: "a", load: () => import("./ask") },
  { id: "models", title: words.views.models, icon: Shapes, key: "m", load: () => import("./models") },
  {
    id: "connections",
    title: words.views.connections,
    icon: Cable,
    key: "c",
    load: () => import("./connections"),
  },
];

export const viewOf = (id: string): View | undefined => views.find((v) => v.id === id);
