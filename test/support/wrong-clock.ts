import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from '../../scripts/server/debian-packages';

/** Puts a child's wall clock off by some hours. */
export interface WrongClock {
  readonly by: 'libfaketime' | 'a Date that is preloaded';
  /** What the child gets in its environment, and its Node as options. */
  setBy(hours: number): { readonly env: Record<string, string>; readonly options: string[] };
}

/** By libfaketime, which deceives the whole process, where its package can be had; else in JavaScript. */
export async function wrongClock(): Promise<WrongClock> {
  const library = await libfaketime();
  if (library === undefined) {
    const preload = join(__dirname, 'shifted-clock.cjs');
    return {
      by: 'a Date that is preloaded',
      setBy: (hours) => ({ env: { SHIFT_HOURS: String(hours) }, options: ['--require', preload] }),
    };
  }
  return {
    by: 'libfaketime',
    setBy: (hours) => ({
      env: {
        LD_PRELOAD: library,
        FAKETIME: `${hours < 0 ? '' : '+'}${hours}h`,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
      options: [],
    }),
  };
}

async function libfaketime(): Promise<string | undefined> {
  try {
    const { env } = process;
    const unpacked = await unpackPackages(
      { packages: ['libfaketime'] },
      { env, progress: () => {} },
    );
    const triplet = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
    const file = join(unpacked.root, `usr/lib/${triplet}-linux-gnu/faketime/libfaketimeMT.so.1`);
    // LD_PRELOAD takes a space or a colon for the end of a name.
    return existsSync(file) && !/[\s:]/.test(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
