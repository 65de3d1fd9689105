import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describePrivate, isAlive, until } from './support';

interface Owned {
  readonly owner: ChildProcess;
  readonly pid: number;
  readonly keeperPid: number;
  readonly folder: string;
}

/** Starts a process that provides itself a server; resolves when that server answers. */
async function startOwner(then: 'wait' | 'forget' | 'throw'): Promise<Owned> {
  const owner = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'owner.ts'), then], {
    stdio: ['ignore', 'pipe', then === 'throw' ? 'ignore' : 'inherit'],
  });
  if (owner.stdout === null) throw new Error('the pipe is missing');
  for await (const line of createInterface(owner.stdout))
    return { owner, ...(JSON.parse(line) as Omit<Owned, 'owner'>) };
  throw new Error('the owner ended without a server');
}

async function expectNothingLeft({ pid, keeperPid, folder }: Owned): Promise<void> {
  await until('the daemon ends', () => !isAlive(pid));
  await until('the keeper ends', () => !isAlive(keeperPid));
  expect(existsSync(folder)).toBe(false);
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

describePrivate()('a private server ends with the process that asked for it', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('when that gets %s', async (signal) => {
    const owned = await startOwner('wait');
    expect(isAlive(owned.pid)).toBe(true);
    expect(existsSync(owned.folder)).toBe(true);
    owned.owner.kill(signal);
    await ended(owned.owner);
    await expectNothingLeft(owned);
  });

  it.each(['forget', 'throw'] as const)(
    'when that ends by itself without stopping it (%s)',
    async (then) => {
      const owned = await startOwner(then);
      await ended(owned.owner);
      await expectNothingLeft(owned);
    },
  );

  it('when somebody ends the keeper with SIGKILL', async () => {
    const owned = await startOwner('wait');
    process.kill(owned.keeperPid, 'SIGKILL');
    await expectNothingLeft(owned);
    owned.owner.kill();
    await ended(owned.owner);
  });
});
