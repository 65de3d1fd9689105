#!/usr/bin/env node
import { run } from './program';
import { processTerminal } from './terminal';

const stop = new AbortController();

/** The first Ctrl-C is the command's, the second the system's. */
function interruption(): AbortSignal {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

/** Whoever reads may have seen enough: `mysql-boomerang locks ls | head`. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  stop.abort();
});

/** The library keeps no process alive, and here there is nothing else that would. */
const alive = setInterval(() => {}, 2 ** 30);
const around = { terminal: processTerminal(process), env: process.env, interruption };
void run(process.argv.slice(2), around).then((code) => {
  process.exitCode = code;
  clearInterval(alive);
});
