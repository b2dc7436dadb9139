// SPDX-License-Identifier: Apache-2.0
// What kind of screen it is, told as it changes: "(max-width: 640px)".
import { useEffect, useState } from "preact/hooks";

export function useMedia(query: string): boolean {
  const [is, set] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const on = () => set(media.matches);
    on();
    media.addEventListener("change", on);
    return () => media.removeEventListener("change", on);
  }, [query]);
  return is;
}
