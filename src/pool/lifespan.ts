import type { Lifespan } from './entry';

/** The part of a limit that is taken off by chance, so that connections do not end all at once. */
const JITTER = 0.1;
/** The part of the server's own idle limit that we make use of. */
const OF_WAIT_TIMEOUT = 0.9;

function jittered(limit: number): number {
  return limit * (1 - Math.random() * JITTER);
}

/** A limit in ms where 0 means none. */
function orNever(limit: number): number {
  return limit > 0 ? limit : Infinity;
}

/**
 * How long a new connection may serve: `maxLifetime` and `keepaliveInterval` less up to 10 % by
 * chance, and both below the server's `wait_timeout`, after which it closes a connection that rests.
 *
 * @param waitTimeout the session's `@@wait_timeout` in ms; 0 where it is not known.
 */
export function lifespanOf(
  now: number,
  maxLifetime: number,
  keepaliveInterval: number,
  waitTimeout: number,
): Lifespan {
  const server = orNever(waitTimeout) * OF_WAIT_TIMEOUT;
  const lifetime = maxLifetime > 0 ? Math.min(maxLifetime, server) : Infinity;
  const keepalive = Math.min(orNever(keepaliveInterval), server / 2);
  return {
    retireAt: now + jittered(lifetime),
    keepaliveEvery: jittered(keepalive),
  };
}
