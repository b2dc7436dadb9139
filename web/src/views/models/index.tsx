// SPDX-License-Identifier: Apache-2.0
// Models: what kinds of things there are, what extends what, and what each says a twin has.
import { FileUp, Shapes } from "lucide-preact";
import { reading, readError, reload } from "~/api/catalogue";
import { models } from "~/api/models";
import { useCommands } from "~/app/palette";
import { go, kind, moves, route } from "~/app/route";
import { Button, Card, Empty, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { Definition } from "./definition";
import { Detail } from "./detail";
import { List } from "./list";
import { branches } from "./tree";
import { Upload } from "./upload";
import "./models.css";

export default function Models() {
  const { m = "", new: making = "", find = "", kpi = "", behaviour = "" } = route.value.params;
  const count = models.value.size;
  const first = branches.value[0]?.model.id ?? "";
  const upload = () => go({ params: { new: "1" } });
  useCommands(() => [{ id: "models:new", title: words.models.upload, icon: FileUp, run: upload }], []);
  if (kpi || behaviour)
    return (
      <div class="view page">
        <div class="page-inner">
          <Definition what={kpi ? "kpi" : "behaviour"} name={kpi || behaviour} />
        </div>
      </div>
    );
  const empty = !count && !reading.value && !readError.value;
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{words.views.models}</h1>
          {moves.value && !empty && (
            <Button icon={FileUp} onClick={upload} aria-pressed={making !== "" || undefined}>
              {words.models.upload}
            </Button>
          )}
        </div>
        {kind.value !== "live" && (
          <div class="notice models-note" role="note">
            {kind.value === "past" ? words.models.past : words.models.scenario(route.value.world)}
          </div>
        )}
        {readError.value && !count ? (
          <Wrong error={new Error(readError.value)} retry={reload} />
        ) : reading.value && !count ? (
          <Skeleton lines={10} />
        ) : empty && !making ? (
          <Empty icon={Shapes} title={words.models.none} hint={words.models.noneHint}>
            <Button look="primary" icon={FileUp} onClick={upload}>
              {words.models.upload}
            </Button>
          </Empty>
        ) : (
          <div class={m || making ? "models-grid chosen" : "models-grid"}>
            <Card bare class="models-list">
              <div class="models-find">
                <input
                  class="input"
                  type="search"
                  placeholder={words.models.find(format.count(count))}
                  aria-label={words.models.find(format.count(count))}
                  value={find}
                  onInput={(e) => go({ params: { find: e.currentTarget.value }, replace: true })}
                />
              </div>
              <List key={count === 0 ? 0 : 1} count={count} />
            </Card>
            <div class="models-main">
              <a
                class="button models-back"
                href="#"
                onClick={(e) => (e.preventDefault(), go({ params: { m: null, new: null } }))}
              >
                {words.models.all}
              </a>
              {making && moves.value ? (
                <Upload key={making} from={making} />
              ) : m || first ? (
                <Detail key={m || first} id={m || first} />
              ) : null}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}
