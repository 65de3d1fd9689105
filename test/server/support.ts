import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { readRelease } from '../../scripts/server/apt-sources';
import { findProgram } from '../../scripts/server/path-daemon';

/** Whether a private server can be had here; says so when not, and the tests that need one are then skipped. */
export function describePrivate(): typeof describe.skip {
  const { env } = process;
  const daemon = findProgram('mariadbd', env) ?? findProgram('mysqld', env);
  if (daemon !== undefined || findProgram('apt-get', env) !== undefined) return describe;
  process.stdout.write('skipped: no mariadbd, mysqld or apt-get on PATH for a private server\n');
  return describe.skip;
}

/**
 * Whether packages can be unpacked here, or `program` is on PATH; says so when not, and the tests that need it are then
 * skipped.
 */
export function describeUnpacked(what: string, program?: string): typeof describe.skip {
  const { env } = process;
  if (program !== undefined && findProgram(program, env) !== undefined) return describe;
  const isDebian = ['debian', 'ubuntu'].includes(readRelease()?.id ?? '');
  if (isDebian && ['apt-get', 'dpkg'].every((name) => findProgram(name, env) !== undefined))
    return describe;
  process.stdout.write(`skipped: ${what} needs Debian's or Ubuntu's apt-get and dpkg\n`);
  return describe.skip;
}

/** What starts servers gets so much time: a data folder is made in seconds, or in many where the disk is busy. */
export const START_MS = 180_000;

/** Polls until `condition` holds; fails with `what` when it does not within the limit. */
export async function until(
  what: string,
  condition: () => boolean,
  limitMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await delay(20);
  }
}

/** The same for a condition that has to be asked for. */
export async function untilAsync(
  what: string,
  condition: () => Promise<boolean>,
  limitMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await delay(50);
  }
}

/** Whether a process with this pid exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Runs one statement on a connection of its own. */
export async function ask(url: string, sql: string): Promise<RowDataPacket[]> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return rows;
  } finally {
    await connection.end();
  }
}

/** A folder of made-up programs, each a shell script, removed by `remove()`. */
export class FakePrograms {
  readonly folder = mkdtempSync(join(tmpdir(), 'boomerang-fake-'));

  add(name: string, script: string): this {
    const file = join(this.folder, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return this;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
