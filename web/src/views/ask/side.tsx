// SPDX-License-Identifier: Apache-2.0
// Beside the question: what was kept, what was asked last; and examples where nothing was asked yet.
import { Bookmark, Eraser, History, Lightbulb, Trash2, Users, type LucideIcon } from "lucide-preact";
import { askFiles, filesError } from "~/api/files";
import { hrefOf } from "~/app/route";
import { done, tellError } from "~/ui/toast";
import { Icon, IconButton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { examples, useHolding } from "./examples";
import { forget, keep, recent, saved, share, useShared, type Saved } from "./saved";

const to = (query: string) => hrefOf({ params: { q: query, sort: null, down: null, of: null, as: null } });

function Kept(p: { title: string; icon: LucideIcon; list: readonly Saved[]; drop: (s: Saved) => void }) {
  if (!p.list.length) return null;
  return (
    <section>
      <h3 class="row small quiet">
        <Icon of={p.icon} size={14} /> {p.title}
      </h3>
      <ul>
        {p.list.map((s) => (
          <li key={s.name} class="row ask-kept">
            <a class="grow ellipsis" href={to(s.query)} title={s.query}>
              {s.name}
            </a>
            <IconButton name={words.ask.forget(s.name)} icon={Trash2} onClick={() => p.drop(s)} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const forgetMine = (s: Saved) => {
  forget(s.name);
  done(words.ask.forgotten(s.name), async () => keep(s.name, s.query));
};

const forgetShared = (s: Saved) =>
  void share(s.name, undefined).then(
    () => done(words.ask.forgotten(s.name), () => share(s.name, s.query).then(() => {})),
    tellError,
  );

function clearRecent(): void {
  const was = recent.peek();
  recent.value = [];
  done(words.ask.cleared, async () => void (recent.value = was));
}

export function Side() {
  const read = useShared();
  const all = read ?? [];
  const wrong = read ? "" : filesError.value;
  if (!saved.value.length && !recent.value.length && !all.length && !wrong) return null;
  return (
    <aside class="ask-side" aria-label={words.ask.kept}>
      {wrong && <Wrong title={words.ask.noShared} error={new Error(wrong)} retry={askFiles} />}
      <Kept title={words.ask.shared} icon={Users} list={all} drop={forgetShared} />
      <Kept title={words.ask.saved} icon={Bookmark} list={saved.value} drop={forgetMine} />
      {recent.value.length > 0 && (
        <section>
          <h3 class="row small quiet">
            <Icon of={History} size={14} /> <span class="grow">{words.ask.recent}</span>
            <IconButton name={words.ask.clearRecent} icon={Eraser} onClick={clearRecent} />
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
  const holding = useHolding();
  if (!holding) return null; // a moment: none is offered that is taken away again
  return (
    <section aria-label={words.ask.try}>
      <h2 class="row ask-try">
        <Icon of={Lightbulb} /> {words.ask.try}
      </h2>
      <div class="ask-examples">
        {examples(holding).map((e) => (
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
