// SPDX-License-Identifier: Apache-2.0

/** What an object itself has by a name that people choose: "constructor" may be the id of a twin. */
export const own = <T>(o: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  o && Object.hasOwn(o, key) ? o[key] : undefined;
