import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcesslistWatcher } from './processlist';
import type { DemoServer } from './server';

/** What was done to the server under the callers' feet. */
export interface Disruptions {
  /** The session that was killed, and whether the server's list was rid of it afterwards. */
  readonly killed: { readonly session: number; readonly gone: boolean };
  /** How long the server was away each time, in ms; `undefined` where it is not ours to restart. */
  readonly away: { readonly restart: number; readonly crash: number } | undefined;
}

/** Milliseconds of undisturbed work before, between and after the disruptions. */
const CALM = 3000;

/**
 * Kills one session that is at work, then restarts the server, then lets it crash (SIGKILL) and
 * starts it again, telling `say` what goes on.
 */
export async function disrupt(
  server: DemoServer,
  watcher: ProcesslistWatcher,
  say: (what: string) => void,
): Promise<Disruptions> {
  say('calm');
  await sleep(CALM);
  const killed = await killOneSession(watcher);
  say(`session ${killed.session} killed`);
  await sleep(CALM);
  if (!server.restartable) return { killed, away: undefined };
  say('server restarting');
  const restart = await absence(watcher, () => server.restart());
  say(`back after ${(restart / 1000).toFixed(1)} s`);
  await sleep(CALM);
  say('server crashed');
  const crash = await absence(watcher, async () => {
    await server.kill();
    await server.start();
  });
  say(`back after ${(crash / 1000).toFixed(1)} s`);
  await sleep(CALM);
  return { killed, away: { restart, crash } };
}

async function killOneSession(watcher: ProcesslistWatcher): Promise<Disruptions['killed']> {
  const sessions = await watcher.sessions();
  const victim = sessions.find(({ busy }) => busy) ?? sessions[0];
  if (victim === undefined) throw new Error('the pool has no session that could be killed');
  await watcher.kill(victim.id);
  await sleep(200);
  const after = await watcher.sessions();
  return { session: victim.id, gone: after.every(({ id }) => id !== victim.id) };
}

/** How long `interlude` kept the server away, in ms. */
async function absence(
  watcher: ProcesslistWatcher,
  interlude: () => Promise<void>,
): Promise<number> {
  const begun = performance.now();
  await interlude();
  const away = performance.now() - begun;
  // It has to be a new server process, not the old one that never went.
  if ((await watcher.uptime()) > away / 1000 + 2) throw new Error('the server was not restarted');
  return away;
}
