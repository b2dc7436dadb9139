// SPDX-License-Identifier: Apache-2.0
// The language of the page. Another one is a folder beside en/ whose index says `export const words: Words = {...}`: it
// compiles only when it has every key of the English one, and no other.
import { words as en } from "./en";

export type Words = typeof en;
export const words: Words = en;
