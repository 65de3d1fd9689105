import { readFile, readdir, readlink } from 'node:fs/promises';
import type { DescriptorNumbers } from './resource-snapshot';

/** With more descriptors than this their kinds are not looked at: each is a call to the kernel. */
const MOST_LOOKED_AT = 4096;

const UNKNOWN: DescriptorNumbers = { open: undefined, limit: undefined, sockets: undefined };

/**
 * Counted from `/proc` on Linux; on other systems with `/dev/fd` from there, with the limit of Node's
 * diagnostic report; else unknown.
 *
 * @throws what Linux's `/proc` answers, where it cannot be read.
 */
export async function descriptorNumbers(): Promise<DescriptorNumbers> {
  if (process.platform === 'linux') return linuxNumbers();
  if (process.platform === 'win32') return UNKNOWN;
  const open = await readdir('/dev/fd').then(
    (names) => names.length,
    () => undefined,
  );
  return { open, limit: reportedLimit(), sockets: undefined };
}

async function linuxNumbers(): Promise<DescriptorNumbers> {
  const [names, limits] = await Promise.all([
    readdir('/proc/self/fd'),
    readFile('/proc/self/limits', 'utf8'),
  ]);
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return {
    // Without the one that the folder itself was read by.
    open: names.length - 1,
    limit: soft === undefined ? undefined : Number(soft),
    sockets: names.length > MOST_LOOKED_AT ? undefined : await countSockets(names),
  };
}

async function countSockets(names: readonly string[]): Promise<number> {
  const kinds = await Promise.all(
    // Some are closed by now.
    names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  );
  return kinds.filter((kind) => kind.startsWith('socket:')).length;
}

let reported: { readonly limit: number | undefined } | undefined;

/** Asked once: the report takes milliseconds, and the limit seldom changes. */
function reportedLimit(): number | undefined {
  if (reported === undefined) {
    const { userLimits } = process.report.getReport() as {
      userLimits?: { open_files?: { soft?: unknown } };
    };
    const soft = userLimits?.open_files?.soft;
    reported = { limit: typeof soft === 'number' ? soft : undefined };
  }
  return reported.limit;
}
