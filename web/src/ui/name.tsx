// SPDX-License-Identifier: Apache-2.0
// The name of a world, a connection, an endpoint or a route: what the server takes as one, and the field that asks it.
import { useState } from "preact/hooks";
import { words } from "~/words/en";
import { TextField } from "./basic";

export const isName = (text: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(text);

export interface Naming {
  text: string;
  wrong: string;
  type: (text: string) => void;
  ask: () => string | null; // the name, or null, and what is wrong is told under the field
}

export function useName(start: string | (() => string) = ""): Naming {
  const [text, set] = useState(start);
  const [wrong, complain] = useState("");
  const name = text.trim();
  return {
    text,
    wrong,
    type: (t) => (set(t), complain("")),
    ask: () => (isName(name) ? name : (complain(words.nameWrong), null)),
  };
}

interface Props {
  id: string;
  label: string;
  of: Naming;
  help?: string;
  fixed?: boolean; // it has it already, and keeps it
}

export function NameField({ id, label, of, help, fixed }: Props) {
  return (
    <TextField
      id={id}
      label={label}
      help={fixed ? undefined : help}
      wrong={of.wrong}
      value={of.text}
      set={of.type}
      required
      readOnly={fixed}
      autocomplete="off"
    />
  );
}
