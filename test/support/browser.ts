import { chromium, type Browser } from 'playwright-core';
import { provideProgram, type ProgramSource } from './program';

export const CHROMIUM: ProgramSource = {
  variable: 'BOOMERANG_CHROMIUM',
  names: ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'],
  packages: ['chromium-headless-shell', 'fonts-dejavu-core'],
  file: 'usr/lib/chromium/chromium-headless-shell',
  libraries: ['pulseaudio'],
};

/** A Chromium without a window; the first time it may have to be downloaded. */
export async function launchBrowser(): Promise<Browser> {
  const { command, env } = await provideProgram(CHROMIUM);
  return chromium.launch({
    executablePath: command,
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? ''])),
    // A container's root has no sandbox to go into; the page under test is our own.
    args: ['--no-sandbox'],
  });
}
