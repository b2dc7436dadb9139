// SPDX-License-Identifier: Apache-2.0
// While time plays or is dragged, what was read of the instant before stands until the next is read: tiles change, they
// do not go blank and come again. Of another world nothing is ever kept.
import { useRef } from "preact/hooks";
import { route } from "~/app/route";
import { dragged, playing } from "~/app/scrub";

export const isMoving = (): boolean => playing.value || dragged.value !== null;

/** Of the same world, at whatever instant. */
export const sameBase = (world: string): boolean => world.split("@")[0] === route.value.world;

export function useSteady<T>(value: T | undefined): T | undefined {
  const last = useRef<{ of: string; value: T }>();
  const of = route.value.world;
  if (value !== undefined) last.current = { of, value };
  else if (isMoving() && last.current?.of === of) return last.current.value;
  return value;
}
