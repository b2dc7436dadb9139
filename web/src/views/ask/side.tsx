// SPDX-License-Identifier: Apache-2.0
// Beside the question: what was kept, what was asked last; and examples where nothing was asked yet.
import { Bookmark, History, Lightbulb, Trash2 } from "lucide-preact";
import { hrefOf } from "~/app/route";
import { done } from "~/ui/toast";
import { Icon, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import { examples, forget, keep, recent, saved } from "./saved";

const to = (query: string) => hrefOf({ params: { q: query, sort: null, down: null, of: null, as: null } });

export function Side() {
  if (!saved.value.length && !recent.value.length) return null;
  return (
    <aside class="ask-side" aria-label={words.ask.kept}>
      {saved.value.length > 0 && (
        <section>
          <h3 class="row small quiet">
            <Icon of={Bookmark} size={14} /> {words.ask.saved}
          </h3>
          <ul>
            {saved.value.map((s) => (
              <li key={s.name} class="row ask-kept">
                <a class="grow ellipsis" href={to(s.query)} title={s.query}>
                  {s.name}
                </a>
                <IconButton
                  name={words.ask.forget(s.name)}
                  icon={Trash2}
                  onClick={() => {
                    forget(s.name);
                    done(words.ask.forgotten(s.name), async () => keep(s.name, s.query));
                  }}
                />
              </li>
            ))}
          </ul>
        </section>
      )}
      {recent.value.length > 0 && (
        <section>
          <h3 class="row small quiet">
            <Icon of={History} size={14} /> {words.ask.recent}
          </h3>
          <ul>
            {recent.value.map((q) => (
              <li key={q}>
                <a class="ask-recent" href={to(q)} title={q}>
                  {q}
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}

export function Examples() {
  return (
    <section aria-label={words.ask.try}>
      <h2 class="row ask-try">
        <Icon of={Lightbulb} /> {words.ask.try}
      </h2>
      <div class="ask-examples">
        {examples().map((e) => (
          <a key={e.query} class="card ask-example" href={to(e.query)}>
            <span class="strong">{e.title}</span>
            <span class="small quiet">{e.about}</span>
            <code class="tiny">{e.query}</code>
          </a>
        ))}
      </div>
    </section>
  );
}
