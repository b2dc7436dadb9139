// SPDX-License-Identifier: Apache-2.0
// What time it is by the server's clock. A computer whose clock is wrong must not make the page false: what the page
// compares with times of a world it compares with this. The clock of a computer that is well set is taken as it is.
import { signal } from "@preact/signals";

const TRUST_MS = 3000; // the server tells its time to the second, and answers take their time: less is no error
const SECOND = 1000;

/** How far the server's clock is ahead of this computer's, ms; 0 while they go together. */
export const ahead = signal(0);

export const now = (): number => Date.now() + ahead.value;

/**
 * An answer said when it was made: between sending and getting it. What is known already is moved only as far as the
 * answer does not allow it, so an answer that took long changes nothing.
 */
export function heardTime(header: string | null, sent: number, got: number): void {
  const said = header ? Date.parse(header) : NaN;
  if (Number.isNaN(said) || got < sent) return;
  const [least, most] = [said - got, said + SECOND - sent];
  const near = least <= TRUST_MS && most >= -TRUST_MS;
  if (ahead.peek() === 0 && near) return;
  const next = ahead.peek() === 0 ? (least + most) / 2 : Math.min(most, Math.max(least, ahead.peek()));
  ahead.value = Math.abs(next) <= TRUST_MS ? 0 : Math.round(next);
}
