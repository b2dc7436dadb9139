// SPDX-License-Identifier: Apache-2.0
// What the form asks for, by kind of connection. What is not here can be said in the text of the document.
import { Cable, Globe, Radio, Waves, type LucideIcon } from "lucide-preact";
import type { Doc } from "~/api/connections";
import type { Value } from "~/api/types";
import { words } from "~/words/en";

export interface FieldOf {
  path: string; // "tls.ca"
  label: string;
  help?: string;
  hint?: string; // placeholder
  type?: "text" | "number" | "secret" | "choice" | "yes" | "list" | "model" | "unit" | "connection";
  choices?: readonly string[]; // the first is the default
  needed?: boolean;
}

export interface RulesOf {
  path: string;
  title: string;
  help: string;
  fresh: Doc;
  fields: FieldOf[];
  more: FieldOf[];
}

export interface KindOf {
  id: string;
  title: string;
  about: string;
  icon: LucideIcon;
  start: Doc;
  fields: FieldOf[];
  more: FieldOf[]; // folded away
  rules: RulesOf[];
  tries: boolean; // what comes can be looked at before
}

export const f = words.connections.fields;

export const broker: FieldOf[] = [
  { path: "url", label: f.broker, hint: "mqtt://broker:1883", help: f.brokerHelp, needed: true },
  { path: "username", label: f.username },
  { path: "password", label: f.password, type: "secret" },
];

/** Whom to trust over TLS, in a member of its own or beside the address. */
export const trust = (within: "" | "tls." = ""): FieldOf[] => [
  { path: within + "ca", label: f.ca, hint: "/etc/ssl/plant.pem", help: f.caHelp },
  { path: within + "insecure", label: f.insecure, type: "yes" },
];

export const safety: FieldOf[] = [
  { path: "clientId", label: f.clientId, help: f.clientIdHelp },
  { path: "version", label: f.version, type: "choice", choices: ["5", "3.1.1"] },
  ...trust("tls."),
];

export const address = (hint: string): FieldOf => ({ path: "url", label: f.address, hint, needed: true });
export const signing: FieldOf = { path: "secret", label: f.secret, type: "secret", help: f.secretHelp };

const subscriptions: RulesOf = {
  path: "subscriptions",
  title: f.subscriptions,
  help: f.subscriptionsHelp,
  fresh: { topic: "" },
  fields: [
    { path: "topic", label: f.topic, hint: "plant/{twin}/{property}", help: f.topicHelp, needed: true },
    { path: "payload", label: f.payload, type: "choice", choices: ["json", "ndjson", "text", "number"] },
    { path: "value", label: f.value, hint: "/value", help: f.valueHelp },
    { path: "time", label: f.time, hint: "/ts", help: f.timeHelp },
  ],
  more: [
    { path: "twin", label: f.twin, hint: "{twin}", help: f.twinHelp },
    { path: "property", label: f.property, hint: "{property}", help: f.propertyHelp },
    { path: "unit", label: f.unit, type: "unit", help: f.unitHelp },
    { path: "expression", label: f.expression, hint: "value / 100" },
    { path: "each", label: f.each, hint: "/readings", help: f.eachHelp },
    {
      path: "timeFormat",
      label: f.timeFormat,
      type: "choice",
      choices: ["auto", "rfc3339", "s", "ms", "us", "ns"],
    },
    { path: "model", label: f.model, type: "model", help: f.modelHelp },
    { path: "create", label: f.create, type: "yes" },
    { path: "retained", label: f.retained, type: "choice", choices: ["apply", "ignore"] },
  ],
};

const commandsOut: RulesOf = {
  path: "commands",
  title: f.commands,
  help: f.commandsHelp,
  fresh: { twin: "*", topic: "plant/{twin}/cmd/{command}" },
  fields: [
    { path: "twin", label: f.twins, hint: "pump-*" },
    { path: "topic", label: f.commandTopic, hint: "plant/{twin}/cmd/{command}", needed: true },
    { path: "response", label: f.response, hint: "plant/{twin}/res", help: f.responseHelp },
  ],
  more: [
    { path: "command", label: f.command, hint: "*" },
    { path: "model", label: f.model, type: "model" },
  ],
};

export const KINDS: readonly KindOf[] = [
  {
    id: "mqtt",
    ...words.connections.kinds.mqtt,
    icon: Radio,
    start: { kind: "mqtt", url: "", subscriptions: [{ topic: "plant/{twin}/{property}" }] },
    fields: broker,
    more: safety,
    rules: [subscriptions, commandsOut],
    tries: true,
  },
  {
    id: "sparkplug",
    ...words.connections.kinds.sparkplug,
    icon: Waves,
    start: { kind: "sparkplug", url: "", hostId: "sosia" },
    fields: [
      ...broker,
      { path: "hostId", label: f.hostId, hint: "sosia", help: f.hostIdHelp },
      { path: "groups", label: f.groups, type: "list", hint: "+", help: f.groupsHelp },
    ],
    more: [
      ...safety,
      { path: "nodeTwin", label: f.nodeTwin, hint: "{group}-{node}" },
      { path: "deviceTwin", label: f.deviceTwin, hint: "{group}-{node}-{device}" },
    ],
    rules: [],
    tries: true,
  },
  {
    id: "line",
    ...words.connections.kinds.line,
    icon: Cable,
    start: { kind: "line", database: "" },
    fields: [
      { path: "database", label: f.database, hint: "telegraf", help: f.databaseHelp },
      { path: "twin", label: f.twin, hint: "{measurement}-{tag:host}", help: f.lineTwinHelp },
      { path: "model", label: f.model, type: "model", help: f.lineModelHelp },
      { path: "others", label: f.others, type: "choice", choices: ["map", "ignore"] },
    ],
    more: [],
    rules: [],
    tries: false,
  },
  {
    id: "http",
    ...words.connections.kinds.http,
    icon: Globe,
    start: { kind: "http", url: "", commands: [{ path: "/{twin}/{command}" }] },
    fields: [
      address("https://gateway:8443/plant"),
      { path: "authorization", label: f.authorization, type: "secret", hint: "Bearer …" },
      signing,
    ],
    more: trust(),
    rules: [
      {
        path: "commands",
        title: f.commands,
        help: f.httpCommandsHelp,
        fresh: { path: "/{twin}/{command}" },
        fields: [
          { path: "twin", label: f.twins, hint: "*" },
          { path: "path", label: f.path, hint: "/{twin}/{command}" },
          { path: "method", label: f.method, type: "choice", choices: ["POST", "PUT"] },
        ],
        more: [
          { path: "command", label: f.command, hint: "*" },
          { path: "model", label: f.model, type: "model" },
          { path: "payload", label: f.body, hint: '{"open":true,"id":"{correlation}"}' },
        ],
      },
    ],
    tries: false,
  },
];

export const kindOf = (id: string): KindOf | undefined => KINDS.find((k) => k.id === id);

export function getAt(doc: Doc, path: string): Value | undefined {
  let at: Value | undefined = doc;
  for (const key of path.split(".")) at = at && typeof at === "object" && !Array.isArray(at) ? at[key] : undefined;
  return at;
}

/** A copy with the member set; undefined takes it away, and what then is empty. */
export function setAt(doc: Doc, path: string, value: Value | undefined): Doc {
  const [key, ...rest] = path.split(".") as [string, ...string[]];
  const out: Doc = { ...doc };
  const inner = out[key];
  const next = rest.length
    ? setAt(typeof inner === "object" && inner && !Array.isArray(inner) ? inner : {}, rest.join("."), value)
    : value;
  const hollow = rest.length > 0 && !Object.keys(next as Doc).length;
  if (next === undefined || hollow) delete out[key];
  else out[key] = next;
  return out;
}
