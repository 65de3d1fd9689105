import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports a kernel hands out by itself (Linux: from 32768, macOS: from 49152). A port from that range could
 * become the *source* port of a client that reconnects while the server is down: the client would then be connected
 * to itself, and the server could not come back on its port.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const ATTEMPTS = 50;

/** The last that this process has given. Of two that start at the same time neither may get the other's. */
const given = new Set<number>();
const REMEMBERED = 1000;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () =>
      probe.close(() => resolve(true)),
    );
  });
}

/**
 * A port of 127.0.0.1 that nobody listened on a moment ago, that is not in `taken` and that was not just given;
 * whoever binds it must be ready to ask for another.
 */
export async function freePort(taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (taken.has(port) || given.has(port)) continue;
    given.add(port);
    const [oldest = port] = given;
    if (given.size > REMEMBERED) given.delete(oldest);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT}`);
}
