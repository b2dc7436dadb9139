// SPDX-License-Identifier: Apache-2.0
// What a model says a twin has: properties with units, telemetry, relationships, components, commands.
import type { ComponentChildren } from "preact";
import { modelName, models, textOf, wordsOfName, type Interface, type Model } from "~/api/models";
import { hrefOf } from "~/app/route";
import { Chip } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

type Content = NonNullable<Interface["contents"]>[number];
type Schema = NonNullable<Content["schema"]>;

export const ModelLink = ({ id }: { id: string }) =>
  models.value.has(id) ? (
    <a href={hrefOf({ params: { m: id, new: null } })} title={id}>
      {modelName(id)}
    </a>
  ) : (
    <span title={id}>{id.startsWith("dtmi:") ? modelName(id) : id}</span>
  );

const kinds = (c: { "@type"?: string | string[] }) => [c["@type"] ?? ""].flat();

function schemaText(s: Schema | undefined, of: Interface): string {
  if (s === undefined) return "";
  if (typeof s === "string") {
    const named = of.schemas?.find((x) => x["@id"] === s);
    return named ? schemaText(named, of) : s;
  }
  const type = kinds(s)[0];
  if (type === "Enum") return (s.enumValues ?? []).map((v) => v.name).join(" | ");
  if (type === "Object")
    return `{ ${(s.fields ?? []).map((f) => `${f.name}: ${schemaText(f.schema, of)}`).join(", ")} }`;
  if (type === "Array") return `${schemaText(s.elementSchema, of)}[]`;
  if (type === "Map") return words.models.mapOf(schemaText(s.mapValue?.schema, of));
  return type ?? "";
}

interface Said {
  c: Content;
  by: Model;
}

/** Own contents first, then those of the bases, each once. */
function saidBy(m: Model): Said[] {
  const out = new Map<string, Said>();
  const walk = (x: Model) => {
    for (const c of x.data.model.contents ?? []) if (!out.has(c.name)) out.set(c.name, { c, by: x });
    for (const id of x.bases) {
      const base = models.value.get(id);
      if (base) walk(base);
    }
  };
  walk(m);
  return [...out.values()];
}

function Section(p: {
  title: string;
  heads: string[];
  list: Said[];
  of: Model;
  cells: (s: Said) => ComponentChildren[];
}) {
  if (!p.list.length) return null;
  return (
    <section class="model-section">
      <h3>
        {p.title} <span class="quiet small">{p.list.length}</span>
      </h3>
      <div class="scroll">
        <table class="table model-contents">
          <thead>
            <tr>
              <th>{words.models.name}</th>
              {p.heads.map((h) => (
                <th key={h}>{h}</th>
              ))}
              <th>{words.models.from}</th>
            </tr>
          </thead>
          <tbody>
            {p.list.map((s) => (
              <tr key={s.c.name}>
                <td>
                  <div class="strong">{textOf(s.c.displayName) || wordsOfName(s.c.name)}</div>
                  <code class="tiny quiet">{s.c.name}</code>
                </td>
                {p.cells(s).map((x, i) => (
                  <td key={i}>{x}</td>
                ))}
                <td class="small">
                  {s.by === p.of ? <span class="quiet">{words.models.own}</span> : <ModelLink id={s.by.id} />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const Type = ({ s }: { s: Said }) => <code class="small">{schemaText(s.c.schema, s.by.data.model)}</code>;
const About = ({ s }: { s: Said }) => <span class="small model-about">{textOf(s.c.description)}</span>;
const unit = (c: Content) => (c.unit ? <span title={c.unit}>{format.unitSymbol(c.unit) || c.unit}</span> : "");

export function Contents({ m }: { m: Model }) {
  const all = saidBy(m);
  const of = (kind: string) => all.filter((s) => kinds(s.c).includes(kind));
  const w = words.models;
  if (!all.length) return <p class="quiet model-none">{w.nothingSaid}</p>;
  return (
    <>
      <Section
        title={w.properties}
        heads={[w.type, w.unit, w.about]}
        list={of("Property")}
        of={m}
        cells={(s) => [
          <>
            <Type s={s} /> {s.c.writable && <Chip>{w.writable}</Chip>}
          </>,
          unit(s.c),
          <About s={s} />,
        ]}
      />
      <Section
        title={w.telemetry}
        heads={[w.type, w.unit, w.about]}
        list={of("Telemetry")}
        of={m}
        cells={(s) => [<Type s={s} />, unit(s.c), <About s={s} />]}
      />
      <Section
        title={w.relationships}
        heads={[w.to, w.about]}
        list={of("Relationship")}
        of={m}
        cells={(s) => [
          s.c.target ? <ModelLink id={s.c.target} /> : <span class="quiet">{w.anything}</span>,
          <About s={s} />,
        ]}
      />
      <Section
        title={w.components}
        heads={[w.model, w.about]}
        list={of("Component")}
        of={m}
        cells={(s) => [<ModelLink id={typeof s.c.schema === "string" ? s.c.schema : ""} />, <About s={s} />]}
      />
      <Section
        title={w.commands}
        heads={[w.takes, w.answers, w.about]}
        list={of("Command")}
        of={m}
        cells={(s) => [
          <code class="small">{schemaText(s.c.request?.schema, s.by.data.model)}</code>,
          <code class="small">{schemaText(s.c.response?.schema, s.by.data.model)}</code>,
          <About s={s} />,
        ]}
      />
    </>
  );
}
