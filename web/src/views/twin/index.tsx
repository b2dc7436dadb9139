// SPDX-License-Identifier: Apache-2.0
// The page of the selected twin; without a selection the list of all.
import { selected } from "~/app/route";
import { cls } from "~/ui/basic";
import { List } from "./list";
import { Page } from "./page";
import "./twin.css";

export default function Twin() {
  const id = selected.value;
  return (
    <div class={cls("view page", !id && "list-view")}>
      <div class="page-inner twin-page">{id ? <Page key={id} id={id} /> : <List />}</div>
    </div>
  );
}
