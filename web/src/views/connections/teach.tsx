// SPDX-License-Identifier: Apache-2.0
// Commands to copy that make something come in, with this server's address and a twin that is there.
import { Copy } from "lucide-preact";
import { entries } from "~/api/catalogue";
import { models } from "~/api/models";
import { IconButton } from "~/ui/basic";
import { copyText } from "~/ui/chart/export";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";

const w = words.connections.teach;

interface Lesson {
  about: string;
  text: string;
}

interface Thing {
  twin: string;
  path: string;
}

/** A twin with a number of its own. */
function thing(): Thing {
  for (const e of entries.value) {
    const p = models.value
      .get(e.model)
      ?.properties.find((x) => x.type === "number" && !x.telemetry && !x.component && x.path !== "latitude");
    if (p) return { twin: e.id, path: p.path };
  }
  return { twin: "pump-1", path: "temperature" };
}

const put = (name: string, doc: object) =>
  [
    `curl -X PUT '${location.origin}/connections/${name}'`,
    "-H 'Content-Type: application/json'",
    `-d '${JSON.stringify(doc)}'`,
  ].join(" \\\n  ");

export function lessons(): Record<string, Lesson[]> {
  const { twin, path } = thing();
  return {
    mqtt: [
      {
        about: w.mqtt,
        text: put("plant", {
          kind: "mqtt",
          url: "mqtt://127.0.0.1:1883",
          subscriptions: [{ topic: "plant/{twin}/{property}" }],
        }),
      },
      { about: w.mqttSend, text: `mosquitto_pub -h 127.0.0.1 -t 'plant/${twin}/${path}' -m 21.5` },
    ],
    line: [
      {
        about: w.telegraf,
        text: `[[outputs.influxdb]]\n  urls = ["${location.origin}"]\n  database = "telegraf"`,
      },
      {
        about: w.lineSend,
        text: `curl -X POST '${location.origin}/write?db=telegraf' --data-binary 'cpu,host=srv-1 usage_idle=97.25'`,
      },
    ],
    sparkplug: [
      {
        about: w.sparkplug,
        text: put("sparkplug", { kind: "sparkplug", url: "mqtt://127.0.0.1:1883", hostId: "sosia" }),
      },
      { about: w.sparkplugSee, text: "mosquitto_sub -h 127.0.0.1 -t 'spBv1.0/STATE/sosia' -C 1" },
    ],
    http: [
      {
        about: w.ingest,
        text:
          `curl -X POST '${location.origin}/ingest' -H 'Content-Type: application/x-ndjson' \\\n` +
          `  -d '${JSON.stringify({ id: twin, property: path, value: 21.5 })}'`,
      },
    ],
  };
}

export function Teach({ kind }: { kind: string }) {
  const list = lessons()[kind];
  if (!list) return null;
  const title = w.title(words.connections.kinds[kind as keyof typeof words.connections.kinds].title);
  const copy = (text: string) => void copyText(text).then(() => tell(words.copied), tellError);
  return (
    <section class="card conn-teach" aria-label={title}>
      <h2>{title}</h2>
      {list.map((l) => (
        <div key={l.text} class="conn-lesson">
          <p class="small quiet">{l.about}</p>
          <div class="conn-command">
            <pre class="code" tabIndex={0} role="group" aria-label={l.about}>
              {l.text}
            </pre>
            <IconButton name={words.copy} icon={Copy} onClick={() => copy(l.text)} />
          </div>
        </div>
      ))}
    </section>
  );
}
