// SPDX-License-Identifier: Apache-2.0
export { attentionOf, type Attention } from "~/api/attention";
