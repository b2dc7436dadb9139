// SPDX-License-Identifier: Apache-2.0
// What the form asks for, by kind of endpoint.
import { Radio, Webhook } from "lucide-preact";
import { words } from "~/words/en";
import { address, broker, f, safety, signing, trust, type FieldOf, type KindOf } from "./fields";

const keeping: FieldOf[] = [
  { path: "retries", label: f.retries, type: "number", hint: "10", help: f.retriesHelp },
  { path: "deadLetter", label: f.deadLetter, type: "choice", choices: ["true", "false"], help: f.deadLetterHelp },
];

export const END_KINDS: readonly KindOf[] = [
  {
    id: "webhook",
    ...words.connections.endKinds.webhook,
    icon: Webhook,
    start: { kind: "webhook", url: "" },
    fields: [
      address("https://erp.example/events"),
      signing,
      { path: "batch", label: f.batch, type: "number", hint: "1", help: f.batchHelp },
    ],
    more: [
      ...keeping,
      { path: "timeout", label: f.timeout, hint: "10s" },
      { path: "handshake", label: f.handshake, type: "yes" },
      ...trust(),
    ],
    rules: [],
    tries: false,
  },
  {
    id: "mqtt",
    ...words.connections.endKinds.mqtt,
    icon: Radio,
    start: { kind: "mqtt", url: "", topic: "events/{type}/{twin}" },
    fields: [
      ...broker.map((x) => ({ ...x, needed: false })),
      { path: "connection", label: f.sameBroker, type: "connection", help: f.sameBrokerHelp },
      { path: "topic", label: f.endTopic, hint: "events/{type}/{twin}", help: f.endTopicHelp, needed: true },
    ],
    more: [
      ...keeping,
      { path: "qos", label: f.qos, type: "choice", choices: ["1", "0"] },
      { path: "retain", label: f.retain, type: "yes" },
      ...safety,
    ],
    rules: [],
    tries: false,
  },
];

export const endKindOf = (id: string): KindOf | undefined => END_KINDS.find((k) => k.id === id);
