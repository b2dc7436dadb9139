// SPDX-License-Identifier: Apache-2.0
// MapLibre as it can be had under a policy without blob: workers: its worker is a file of ours.
import maplibre from "maplibre-gl/dist/maplibre-gl-csp.js";
import workerUrl from "maplibre-gl/dist/maplibre-gl-csp-worker.js?url";

maplibre.setWorkerUrl(workerUrl);

export default maplibre;
export type { GeoJSONSource, LngLatLike, Map as MapLibreMap, StyleSpecification } from "maplibre-gl";
