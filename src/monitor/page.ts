import { createHash } from 'node:crypto';
import { pageFiles } from './dashboard/files';

/** A page, and the policy under which the browser is to show it. */
export interface Page {
  readonly html: string;
  readonly policy: string;
}

/**
 * Modules as one script. Their top-level names differ, so all there is to joining them is to leave out
 * who takes what from whom.
 */
function joined(modules: readonly string[]): string {
  const bodies = modules.map((text) =>
    text.replace(/^import [^;]*;\n/gm, '').replace(/^export /gm, ''),
  );
  return `(() => {\n'use strict';\n${bodies.join('\n')}})();\n`;
}

const hashOf = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

function made(): Page {
  const { html, style, modules } = pageFiles();
  const script = joined(modules);
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  // By functions: what stands in a replacement would be read as a pattern.
  const text = html
    .replace('<!-- style -->', () => `<style>${style}</style>`)
    .replace('<!-- script -->', () => `<script>${script}</script>`);
  return { html: text, policy };
}

let page: Page | undefined;

/** The dashboard: one page that needs nothing from anywhere else. */
export function dashboard(): Page {
  return (page ??= made());
}
