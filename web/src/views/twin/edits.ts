// SPDX-License-Identifier: Apache-2.0
// Edits of values and links, each with its way back. A twin that sensors move has another entity tag every second, so
// the tag of the whole does not say whether *this* value was changed: it is read again, compared, and the write is
// bound to what was read (If-Match). Nothing that somebody else did since is overwritten.
import { api, ApiError } from "~/api/client";
import { wordsOfName } from "~/api/models";
import { timesOf, valueAt } from "~/api/twin";
import type { Relationship, Twin, Value } from "~/api/types";
import { reload } from "~/api/catalogue";
import { done } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const TRIES = 8; // others write between our reading and our writing
const at = (id: string) => `/digitaltwins/${encodeURIComponent(id)}`;
const pointer = (path: string) => "/" + path.replaceAll(".", "/");

export const same = (a: Value | undefined, b: Value | undefined): boolean =>
  JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export interface Place {
  world: string; // its name in addresses
  twin: string;
  path: string;
}

/** Put `next` where `expected` stands; undefined: nothing. Throws in words when something else stands there. */
export async function swap(
  p: Place,
  expected: Value | undefined,
  next: Value | undefined,
  changed: (now: Value | undefined, when: string) => string,
): Promise<void> {
  for (let i = 0; ; i++) {
    const twin = await api.get<Twin>(at(p.twin), { world: p.world });
    const now = valueAt(twin, p.path);
    if (!same(now, expected)) {
      const t = timesOf(twin, p.path);
      throw new Error(changed(now, t.arrived ? format.time(t.arrived) : ""));
    }
    const op =
      next === undefined || next === null
        ? { op: "remove", path: pointer(p.path) }
        : { op: now === undefined || now === null ? "add" : "replace", path: pointer(p.path), value: next };
    if (op.op === "remove" && (now === undefined || now === null)) return;
    try {
      await api.patch(at(p.twin), [op], {
        world: p.world,
        type: "application/json-patch+json",
        headers: { "If-Match": twin.$etag ?? "*" },
      });
      return;
    } catch (e) {
      if (!(e instanceof ApiError && e.status === 412) || i + 1 >= TRIES) throw e;
    }
  }
}

export interface Change extends Place {
  name: string; // as people read it
  unit: string;
  before: Value | undefined;
  value: Value | undefined;
}

export async function changeValue(c: Change): Promise<void> {
  const shown = (v: Value | undefined) => format.value(v, c.unit);
  const meanwhile = (now: Value | undefined) => words.twin.meanwhile(c.name, shown(now));
  const since = (now: Value | undefined, when: string) => words.twin.since(c.name, shown(now), when);
  await swap(c, c.before, c.value, meanwhile);
  const gone = c.value === undefined || c.value === null;
  done(
    gone ? words.twin.cleared(c.name) : words.twin.changed(c.name, shown(c.value)),
    () => swap(c, c.value, c.before, since),
    {
      again: () => swap(c, c.before, c.value, since),
      undone:
        c.before === undefined || c.before === null
          ? words.twin.cleared(c.name)
          : words.twin.again(c.name, shown(c.before)),
      world: c.world === "live" ? undefined : c.world,
    },
  );
}

const linkAt = (twin: string, id: string) => `${at(twin)}/relationships/${encodeURIComponent(id)}`;

async function put(world: string, l: Relationship): Promise<Relationship> {
  const { $etag: _, ...body } = l;
  return api.put<Relationship>(linkAt(l.$sourceId, l.$relationshipId), body, {
    world,
    headers: { "If-None-Match": "*" },
  });
}

const remove = (world: string, l: Relationship) =>
  api.delete<void>(linkAt(l.$sourceId, l.$relationshipId), {
    world,
    headers: { "If-Match": (l.$etag as string | undefined) ?? "*" },
  });

/** A refusal in the words of a link: the server speaks of tags. */
const inWords = (name: string) => (e: unknown) => {
  if (e instanceof ApiError && e.status === 412) throw new Error(words.twin.linkSince(name));
  if (e instanceof ApiError && e.status === 404) throw new Error(words.twin.linkGone(name));
  throw e;
};

export const linkName = (l: { $relationshipName: string }, target: string): string =>
  `${wordsOfName(l.$relationshipName)} → ${target}`;

/** A free id that says what it is: "feeds-line-1-capper", as models of plants write them. */
export function linkId(name: string, target: string, taken: ReadonlySet<string>): string {
  const stem = `${name}-${target}`.slice(0, 120);
  if (!taken.has(stem)) return stem;
  for (let i = 2; ; i++) if (!taken.has(`${stem}-${i}`)) return `${stem}-${i}`;
}

export async function addLink(world: string, l: Relationship, title: string): Promise<void> {
  let made = await put(world, l);
  const where = world === "live" ? undefined : world;
  reload();
  done(words.twin.linked(title), () => remove(world, made).catch(inWords(title)).then(reload), {
    again: async () => {
      made = await put(world, l).catch(inWords(title) as () => never);
      reload();
    },
    undone: words.twin.unlinked(title),
    world: where,
  });
}

export async function dropLink(world: string, l: Relationship, title: string): Promise<void> {
  await remove(world, l).catch(inWords(title));
  let there = l;
  const where = world === "live" ? undefined : world;
  reload();
  done(
    words.twin.unlinked(title),
    async () => {
      there = await put(world, l).catch(inWords(title) as () => never);
      reload();
    },
    {
      again: () => remove(world, there).catch(inWords(title)).then(reload),
      undone: words.twin.linkedAgain(title),
      world: where,
    },
  );
}
