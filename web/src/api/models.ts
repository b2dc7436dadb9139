// SPDX-License-Identifier: Apache-2.0
// Models of a world: DTDL interfaces, flattened so that a view can ask what a property is.
import { signal } from "@preact/signals";
import { all } from "./client";

type Text = string | Record<string, string>;

interface Content {
  "@type": string | string[];
  name: string;
  displayName?: Text;
  description?: Text;
  comment?: string;
  schema?: Schema;
  unit?: string;
  writable?: boolean;
  target?: string;
  request?: Request;
  response?: { name: string; schema: Schema };
}
/** What a command takes. */
export interface Request {
  name: string;
  schema: Schema;
  displayName?: Text;
  description?: Text;
  unit?: string;
}
export type Schema =
  | string
  | {
      "@type"?: string | string[];
      "@id"?: string;
      fields?: { name: string; schema: Schema; displayName?: Text; description?: Text; unit?: string }[];
      enumValues?: { name: string; enumValue: string | number; displayName?: Text; comment?: string }[];
      valueSchema?: string;
      elementSchema?: Schema;
      mapValue?: { schema: Schema };
    };

export interface Interface {
  "@id": string;
  "@type": string;
  displayName?: Text;
  description?: Text;
  extends?: string | (string | Interface)[];
  contents?: Content[];
  schemas?: (Schema & { "@id": string })[];
}

export interface ModelData {
  id: string;
  displayName?: Record<string, string>;
  description?: Record<string, string>;
  decommissioned: boolean;
  uploadTime: string;
  model: Interface;
}

export type PropertyType = "number" | "integer" | "boolean" | "text" | "time" | "duration" | "enum" | "document";

export interface Property {
  path: string; // "temperature", "drive.speed"
  name: string; // as people read it
  about: string;
  type: PropertyType;
  unit: string; // "degreeCelsius", or ""
  writable: boolean;
  telemetry: boolean;
  options: { value: string | number; name: string; alert: boolean }[]; // of an enum
  alert: boolean | undefined; // its model says that its values tell that something is wrong, or that they never do
  from: string; // the interface that says it
  component: string; // "" or the component it is of
}

export interface Model {
  id: string;
  name: string;
  about: string;
  bases: string[]; // direct
  ancestors: Set<string>; // and itself
  properties: Property[]; // own and inherited, of components too
  relationships: { name: string; title: string; target: string }[];
  commands: {
    name: string;
    title: string;
    about: string;
    component: string;
    request?: Request;
  }[];
  components: { name: string; title: string; model: string }[];
  data: ModelData;
}

export type Models = ReadonlyMap<string, Model>;

const LANGUAGE = "en";

export function textOf(t: Text | undefined): string {
  if (!t) return "";
  return typeof t === "string" ? t : (t[LANGUAGE] ?? Object.values(t)[0] ?? "");
}

/** "dtmi:sosia:bottling:CleaningSkid;1" -> "Cleaning skid" */
export function shortModel(dtmi: string): string {
  const last = dtmi.replace(/;.*$/, "").split(":").pop() ?? dtmi;
  return wordsOfName(last);
}

/** "fillDeviation" -> "Fill deviation" */
export function wordsOfName(name: string): string {
  const spaced = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").replaceAll(/[_-]+/g, " ");
  const lower = spaced.replaceAll(/\b([A-Z])([a-z]+)/g, (_, a: string, b: string) => a.toLowerCase() + b);
  return lower.charAt(0).toUpperCase() + lower.slice(1);
}

const kinds = (c: { "@type"?: string | string[] }) => (Array.isArray(c["@type"]) ? c["@type"] : [c["@type"] ?? ""]);

export function typeOf(schema: Schema | undefined): PropertyType {
  if (typeof schema === "object") return kinds(schema).includes("Enum") ? "enum" : "document";
  switch (schema) {
    case "double":
    case "float":
      return "number";
    case "integer":
    case "long":
      return "integer";
    case "boolean":
      return "boolean";
    case "dateTime":
    case "date":
    case "time":
      return "time";
    case "duration":
      return "duration";
    default:
      return "text";
  }
}

/** DTDL has no word for it: the comment of a property, or of a value of an enum, begins with "alert" or "no alert". */
function alertOf(comment: string | undefined): boolean | undefined {
  const m = /^(no )?alert\b/i.exec(comment ?? "");
  return m ? !m[1] : undefined;
}

/** The values of an enum; else none. */
export const optionsOf = (schema: Schema | undefined): Property["options"] =>
  typeof schema === "object"
    ? (schema.enumValues ?? []).map((v) => ({
        value: v.enumValue,
        name: textOf(v.displayName) || v.name,
        alert: alertOf(v.comment) === true,
      }))
    : [];

/** A schema that the interface says apart, by its name. */
const resolved = (doc: Interface, schema: Schema | undefined): Schema | undefined =>
  typeof schema === "string" && schema.startsWith("dtmi:")
    ? (doc.schemas?.find((s) => s["@id"] === schema) ?? schema)
    : schema;

class Builder {
  private readonly made = new Map<string, Model>();
  constructor(private readonly data: Map<string, ModelData>) {}

  model(id: string): Model | undefined {
    const known = this.made.get(id);
    if (known) return known;
    const data = this.data.get(id);
    if (!data) return undefined;
    const doc = data.model;
    const bases = (Array.isArray(doc.extends) ? doc.extends : doc.extends ? [doc.extends] : []).map((b) =>
      typeof b === "string" ? b : b["@id"],
    );
    const m: Model = {
      id,
      name: textOf(doc.displayName) || shortModel(id),
      about: textOf(doc.description),
      bases,
      ancestors: new Set([id]),
      properties: [],
      relationships: [],
      commands: [],
      components: [],
      data,
    };
    this.made.set(id, m);
    for (const base of bases) this.inherit(m, this.model(base));
    for (const c of doc.contents ?? []) this.content(m, doc, c);
    return m;
  }

  private inherit(m: Model, base: Model | undefined): void {
    if (!base) return;
    for (const a of base.ancestors) m.ancestors.add(a);
    const lacks = (list: { path?: string; name: string }[], one: { path?: string; name: string }) =>
      !list.some((x) => (x.path ?? x.name) === (one.path ?? one.name));
    m.properties.push(...base.properties.filter((p) => lacks(m.properties, p)));
    m.relationships.push(...base.relationships.filter((r) => lacks(m.relationships, r)));
    m.commands.push(...base.commands.filter((c) => lacks(m.commands, c)));
    m.components.push(...base.components.filter((c) => lacks(m.components, c)));
  }

  private content(m: Model, doc: Interface, c: Content): void {
    const types = kinds(c);
    const title = textOf(c.displayName) || wordsOfName(c.name);
    if (types.includes("Property") || types.includes("Telemetry"))
      this.property(m, doc, c, title, types.includes("Telemetry"));
    else if (types.includes("Relationship")) m.relationships.push({ name: c.name, title, target: c.target ?? "" });
    else if (types.includes("Command")) {
      const request = c.request && { ...c.request, schema: resolved(doc, c.request.schema)! };
      m.commands.push({ name: c.name, title, about: textOf(c.description), component: "", request });
    }
    else if (types.includes("Component")) this.component(m, c, title);
  }

  private property(m: Model, doc: Interface, c: Content, title: string, telemetry: boolean): void {
    const schema = resolved(doc, c.schema);
    const options = optionsOf(schema);
    m.properties.push({
      path: c.name,
      name: title,
      about: textOf(c.description),
      type: typeOf(schema),
      unit: c.unit ?? "",
      writable: c.writable ?? false,
      telemetry,
      options,
      alert: alertOf(c.comment) ?? (options.some((o) => o.alert) || undefined),
      from: m.id,
      component: "",
    });
  }

  private component(m: Model, c: Content, title: string): void {
    const of = typeof c.schema === "string" ? c.schema : "";
    m.components.push({ name: c.name, title, model: of });
    const inner = this.model(of);
    for (const p of inner?.properties ?? []) {
      m.properties.push({
        ...p,
        path: `${c.name}.${p.path}`,
        component: c.name,
        name: `${title}: ${lowerFirst(p.name)}`,
      });
    }
    for (const k of inner?.commands ?? []) m.commands.push({ ...k, component: c.name });
  }
}

const lowerFirst = (s: string) => (/^[A-Z][a-z]/.test(s) ? s.charAt(0).toLowerCase() + s.slice(1) : s);

export function buildModels(list: readonly ModelData[]): Models {
  const builder = new Builder(new Map(list.map((d) => [d.id, d])));
  const out = new Map<string, Model>();
  for (const d of list) {
    const m = builder.model(d.id);
    if (m) out.set(d.id, m);
  }
  return out;
}

export async function fetchModels(world: string, abort?: AbortSignal): Promise<Models> {
  return buildModels(
    await all<ModelData>("/models", { world, query: { includeModelDefinition: true }, signal: abort }),
  );
}

/** Models of the world that is shown; empty until they are read. */
export const models = signal<Models>(new Map());

export function modelName(id: string): string {
  return models.value.get(id)?.name ?? shortModel(id);
}

export function propertyOf(model: string, path: string): Property | undefined {
  return models.value.get(model)?.properties.find((p) => p.path === path);
}
