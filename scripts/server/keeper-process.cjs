'use strict';
/**
 * The keeper: a small process that owns a private server for a parent, and outlives it by as long as cleaning up
 * takes. It makes the folder, runs the daemon in it, and when the parent ends in whatever way (the kernel then
 * closes the IPC channel) it stops the daemon, removes the folder and ends. Node built-ins only and plain
 * CommonJS, so that every Node can run it, from a Jest worker as well.
 *
 * Signals go to pids started here and to nothing else.
 */
const { spawn, spawnSync } = require('node:child_process');
const { closeSync, mkdtempSync, openSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

/** How long a daemon may take to end after SIGTERM before it gets SIGKILL. */
const TERM_LIMIT_MS = 10_000;

const { cleanup } = JSON.parse(process.argv[2] ?? '{}');
const folder = mkdtempSync(join(tmpdir(), 'mysql-boomerang-'));

/** Every child alive, with a promise of how it ended. */
const children = new Map();
let daemon;
let closing;

/** A parent that is gone cannot be told anything; that is no reason to fail. */
function tell(message) {
  if (process.connected) process.send(message, () => {});
}

/** Starts a child whose output goes to `log` (appended); it has its own process group, out of reach of Ctrl-C. */
function launch({ command, args, log, input, env }) {
  const output = openSync(log, 'a', 0o600);
  const stdin = input === undefined ? 'ignore' : openSync(input, 'r');
  try {
    const child = spawn(command, args, {
      cwd: folder,
      detached: true,
      stdio: [stdin, output, output],
      env: { ...process.env, ...env },
    });
    const ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error: error.message }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    children.set(child, ended);
    void ended.then(() => children.delete(child));
    return { child, ended };
  } finally {
    closeSync(output);
    if (stdin !== 'ignore') closeSync(stdin);
  }
}

/** Resolves when the child has ended; SIGKILL follows a SIGTERM that is not obeyed. */
async function end(child, ended, signal) {
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_LIMIT_MS);
  const how = await ended;
  clearTimeout(timer);
  return how;
}

const verbs = {
  run: (request) => launch(request).ended,
  start: async (request) => {
    if (daemon !== undefined) throw new Error('the daemon is running already');
    const started = launch(request);
    daemon = started;
    tell({ event: 'start', pid: started.child.pid });
    void started.ended.then(() => {
      daemon = undefined;
      tell({ event: 'exit' });
    });
  },
  signal: async ({ signal }) =>
    daemon === undefined ? null : end(daemon.child, daemon.ended, signal),
  close: () => close(),
};

/** Ends everything and removes the folder; a second call gets the first one's promise. */
function close() {
  closing ??= (async () => {
    await Promise.all(
      [...children].map(([child, ended]) =>
        end(child, ended, child === daemon?.child ? 'SIGTERM' : 'SIGKILL'),
      ),
    );
    if (cleanup !== undefined)
      spawnSync(cleanup.command, cleanup.args, {
        stdio: 'ignore',
        env: { ...process.env, ...cleanup.env },
      });
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  })();
  return closing;
}

async function closeAndExit() {
  await close();
  process.exit(0);
}

process.on('message', async ({ id, verb, ...request }) => {
  try {
    if (closing !== undefined && verb !== 'close') throw new Error('the server is being stopped');
    tell({ id, result: await verbs[verb](request) });
  } catch (error) {
    tell({ id, error: error.message });
  }
});
process.on('disconnect', closeAndExit);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, closeAndExit);

tell({ event: 'ready', folder });
