import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The modules of the page's script, each after those it takes from. */
const MODULES = [
  'format.mjs',
  'dom.mjs',
  'chart.mjs',
  'tiles.mjs',
  'panels.mjs',
  'stream.mjs',
  'app.mjs',
];

const STYLES = ['base.css', 'layout.css', 'parts.css', 'chart.css', 'narrow.css'];

/** What the dashboard is made of. */
export interface PageFiles {
  readonly html: string;
  readonly style: string;
  readonly modules: readonly string[];
}

const read = (name: string): string => readFileSync(join(__dirname, name), 'utf8');

/** From the files beside this one; the build puts their text in the place of this module. */
export function pageFiles(): PageFiles {
  return {
    html: read('page.html'),
    style: STYLES.map(read).join('\n'),
    modules: MODULES.map(read),
  };
}
