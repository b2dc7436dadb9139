// SPDX-License-Identifier: Apache-2.0
// Where twins are missing: why, and the way to the steps that make some.
import { ArrowRight, type LucideIcon } from "lucide-preact";
import { Empty, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import { hrefOf } from "./route";

export function NoTwins({ icon }: { icon: LucideIcon }) {
  return (
    <Empty icon={icon} title={words.twin.none} hint={words.twin.noneHint}>
      <a class="button primary" href={hrefOf({ view: "overview" })}>
        {words.twin.begin}
        <Icon of={ArrowRight} />
      </a>
    </Empty>
  );
}
