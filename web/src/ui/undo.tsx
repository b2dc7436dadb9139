// SPDX-License-Identifier: Apache-2.0
// The last ten edits as a list: what was done, and a way back from each.
import { Redo2, Undo2 } from "lucide-preact";
import { words } from "~/words/en";
import { Icon, IconButton, Menu } from "./basic";
import { edits, redo, takenBack, undo } from "./toast";

const w = words.undoing;

export function UndoMenu() {
  const back = [...edits.value].reverse();
  const again = [...takenBack.value].reverse();
  return (
    <Menu
      label={w.title}
      button={(open, shown) => (
        <IconButton name={w.title} icon={Undo2} aria-expanded={shown} aria-haspopup="dialog" onClick={open} />
      )}
    >
      {(close) => (
        <>
          <div class="menu-title">{back.length ? w.steps : w.none}</div>
          {back.map((e, i) => (
            <button key={i} type="button" class="menu-item" onClick={() => (close(), void undo(e))}>
              <Icon of={Undo2} />
              <span class="grow">{e.what}</span>
              {e.world && <span class="tiny quiet">{e.world}</span>}
              {i === 0 && <span class="key">Ctrl Z</span>}
            </button>
          ))}
          {again.length > 0 && <div class="menu-title">{w.again}</div>}
          {again.map((e, i) => (
            <button key={i} type="button" class="menu-item" onClick={() => (close(), void redo(e))}>
              <Icon of={Redo2} />
              <span class="grow">{e.what}</span>
              {i === 0 && <span class="key">Ctrl Y</span>}
            </button>
          ))}
        </>
      )}
    </Menu>
  );
}
