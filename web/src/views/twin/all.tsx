// SPDX-License-Identifier: Apache-2.0
// The list of all twins, also while one is selected: it is marked there, and its details stand beside the list.
import { List } from "./list";
import "./twin.css";

export default function Twins() {
  return (
    <div class="view page list-view">
      <div class="page-inner twin-page">
        <List />
      </div>
    </div>
  );
}
