import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { longForm } from '../support/long-form';
import { describePrivate, describeUnpacked, isAlive, START_MS, until } from './support';

jest.setTimeout(START_MS);

interface Running {
  readonly pid: number;
  readonly keeperPid: number;
  readonly folder?: string;
}

interface Owned {
  readonly owner: ChildProcess;
  readonly running: readonly Running[];
}

/** Starts a process that provides itself something; resolves when that answers. */
async function startOwner(
  what: 'server' | 'redis' | 'galera',
  then: 'wait' | 'forget' | 'throw',
): Promise<Owned> {
  const script = join(__dirname, 'owner.ts');
  const owner = spawn(process.execPath, ['--import', 'tsx', script, what, then], {
    stdio: ['ignore', 'pipe', then === 'throw' ? 'ignore' : 'inherit'],
  });
  if (owner.stdout === null) throw new Error('the pipe is missing');
  for await (const line of createInterface(owner.stdout))
    return { owner, running: JSON.parse(line) as Running[] };
  throw new Error('the owner ended without a server');
}

async function expectNothingLeft({ running }: Owned): Promise<void> {
  for (const { pid, keeperPid, folder = '' } of running) {
    await until('the daemon ends', () => !isAlive(pid));
    await until('the keeper ends', () => !isAlive(keeperPid));
    // By the keeper before it ends; where that was killed, by the owner some time after.
    await until('the folder is removed', () => !existsSync(folder));
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

async function endsWithItsOwner(
  what: 'server' | 'redis' | 'galera',
  signal: NodeJS.Signals,
): Promise<void> {
  const owned = await startOwner(what, 'wait');
  for (const { pid } of owned.running) expect(isAlive(pid)).toBe(true);
  owned.owner.kill(signal);
  await ended(owned.owner);
  await expectNothingLeft(owned);
}

describePrivate()('a private server ends with the process that asked for it', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('when that gets %s', (signal) =>
    endsWithItsOwner('server', signal),
  );

  it.each(['forget', 'throw'] as const)(
    'when that ends by itself without stopping it (%s)',
    async (then) => {
      const owned = await startOwner('server', then);
      await ended(owned.owner);
      await expectNothingLeft(owned);
    },
  );

  it('when somebody ends the keeper with SIGKILL', async () => {
    const owned = await startOwner('server', 'wait');
    for (const { keeperPid } of owned.running) process.kill(keeperPid, 'SIGKILL');
    await expectNothingLeft(owned);
    owned.owner.kill();
    await ended(owned.owner);
  });
});

describeUnpacked('a private Redis', 'redis-server')('a private Redis', () => {
  it('ends with the process that asked for it', () => endsWithItsOwner('redis', 'SIGKILL'));
});

if (longForm('BOOMERANG_GALERA', false)) {
  describeUnpacked('a Galera cluster')('a Galera cluster', () => {
    it.each(['SIGKILL', 'SIGINT'] as const)(
      'ends with the process that asked for it (%s)',
      (signal) => endsWithItsOwner('galera', signal),
    );
  });
}
