import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** Names under which a Chromium may be installed. */
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/** BOOMERANG_CHROMIUM, or what is found on the PATH; `undefined` where there is none. */
export function findChromium(): string | undefined {
  const named = process.env['BOOMERANG_CHROMIUM'];
  if (named !== undefined) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function launch(executablePath: string): Promise<Browser> {
  // A container's root has no sandbox to go into; the page under test is our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
