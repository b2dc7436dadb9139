// SPDX-License-Identifier: Apache-2.0
// Nothing to show yet: how to put a plan or a scene, by dropping it or from a terminal.
import { useRef } from "preact/hooks";
import { Box, Map, Upload } from "lucide-preact";
import { entries } from "~/api/catalogue";
import { Button, Empty } from "~/ui/basic";
import { words } from "~/words/en";
import { takeAll } from "./drop";

const curl = (file: string, type: string) =>
  `curl -T ${file} -H 'Content-Type: ${type}' \\\n  ${location.origin}/files/${file}`;

function example(kind: "plan" | "scene"): string {
  const twin = entries.value[0]?.id ?? "pump-1";
  if (kind === "plan")
    return [
      curl("hall.svg", "image/svg+xml"),
      curl("hall.plan.json", "application/json"),
      "",
      "# hall.plan.json: metres from the top left",
      `{"title":"Hall","image":"hall.svg","width":120,"height":60,\n "at":{"${twin}":{"x":12.5,"y":30}}}`,
    ].join("\n");
  return [
    curl("hall.glb", "model/gltf-binary"),
    curl("hall.scene.json", "application/json"),
    "",
    "# hall.scene.json: which node is which twin",
    `{"title":"Hall","model":"hall.glb","nodes":{"${twin}":"Node name"}}`,
  ].join("\n");
}

export function Teach({ kind }: { kind: "plan" | "scene" }) {
  const input = useRef<HTMLInputElement>(null);
  const w = kind === "plan" ? words.map : words.scene;
  return (
    <div class="stage-middle card">
      <Empty icon={kind === "plan" ? Map : Box} title={w.title} hint={w.hint} />
      <pre class="code">{example(kind)}</pre>
      {kind === "plan" && <p class="quiet small">{words.map.positions}</p>}
      <p>
        <Button look="primary" icon={Upload} onClick={() => input.current?.click()}>
          {w.choose}
        </Button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          accept={kind === "plan" ? ".svg,.png,.webp,.jpg,.jpeg,.geojson,.json" : ".glb,.gltf,.json"}
          onChange={(e) => void takeAll([...(e.currentTarget.files ?? [])])}
        />
      </p>
    </div>
  );
}
