// SPDX-License-Identifier: Apache-2.0
declare module "maplibre-gl/dist/maplibre-gl-csp.js" {
  import maplibre from "maplibre-gl";
  export default maplibre;
}
