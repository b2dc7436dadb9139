// SPDX-License-Identifier: Apache-2.0
// What can be taken from a chart: the picture, and the values in it.
import { useState } from "preact/hooks";
import { Ellipsis, FileDown, Image, Moon, Table } from "lucide-preact";
import { Icon, IconButton, Menu } from "~/ui/basic";
import { tell } from "~/ui/toast";
import { wordsOf } from "~/api/client";
import { words } from "~/words/en";
import { copyPng, copyText, fileName, pngOf, save } from "./export";

const w = words.chart;

interface Props {
  name: string;
  svg: (dark: boolean) => string;
  csv: () => string;
}

export function ExportMenu({ name, svg, csv }: Props) {
  const [dark, setDark] = useState(false);
  const file = (end: string) => `${fileName(name)}.${end}`;
  const savePng = async () => save(await pngOf(svg(dark)), file("png"));
  const saveSvg = () => save(new Blob([svg(dark)], { type: "image/svg+xml" }), file("svg"));
  const saveCsv = () => save(new Blob([csv()], { type: "text/csv;charset=utf-8" }), file("csv"));
  /** What does not work is told, with the way that does. */
  const act = (done: string, run: () => Promise<void>, instead?: { title: string; run: () => void }) =>
    run().then(
      () => tell(done),
      (e: unknown) => tell(wordsOf(e), { bad: true, action: instead }),
    );
  const items = [
    {
      title: w.copyPng,
      icon: Image,
      run: () => act(w.pictureCopied, () => copyPng(svg(dark)), { title: w.savePng, run: () => void savePng() }),
    },
    {
      title: w.copySvg,
      icon: Image,
      run: () => act(w.pictureCopied, () => copyText(svg(dark)), { title: w.saveSvg, run: saveSvg }),
    },
    { title: w.savePng, icon: FileDown, run: () => act(w.saved(file("png")), savePng) },
    { title: w.saveSvg, icon: FileDown, run: () => act(w.saved(file("svg")), async () => saveSvg()) },
    {
      title: w.copyCsv,
      icon: Table,
      run: () => act(w.valuesCopied, () => copyText(csv()), { title: w.saveCsv, run: saveCsv }),
    },
    { title: w.saveCsv, icon: FileDown, run: () => act(w.saved(file("csv")), async () => saveCsv()) },
  ];
  return (
    <Menu
      label={w.take(name)}
      button={(open, shown) => (
        <IconButton
          class="chart-menu"
          name={w.take(name)}
          icon={Ellipsis}
          aria-expanded={shown}
          aria-haspopup="dialog"
          onClick={open}
        />
      )}
    >
      {(close) => (
        <>
          {items.map((i) => (
            <button key={i.title} type="button" class="menu-item" onClick={() => (close(), void i.run())}>
              <Icon of={i.icon} />
              {i.title}
            </button>
          ))}
          <button type="button" class="menu-item" aria-pressed={dark} onClick={() => setDark(!dark)}>
            <Icon of={Moon} />
            <span class="grow">{w.darkPicture}</span>
            {dark && "✓"}
          </button>
        </>
      )}
    </Menu>
  );
}
