import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Protocol version that both flavours greet with. An error packet, such as "too many connections", begins 0xff. */
const PROTOCOL_10 = 0x0a;
/** Packet header: three bytes of length, one of sequence. */
const HEADER = 4;
const POLL_MS = 20;

/** Whether the server at `port` greets now. A socket that is bound but not served yet does not count. */
function greets(host: string, port: number, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(limitMs, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('data', (bytes) => settle(bytes[HEADER] === PROTOCOL_10));
  });
}

/**
 * Waits for the server at `port` to greet. Resolves to `ended` when it is not alive any more, also when somebody
 * else's server greets on its port, and to `late` when neither happened within the limit.
 */
export async function awaitGreeting(
  host: string,
  port: number,
  limitMs: number,
  isAlive: () => boolean,
): Promise<'greeted' | 'ended' | 'late'> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const greeted = await greets(host, port, Math.max(POLL_MS, deadline - Date.now()));
    if (!isAlive()) return 'ended';
    if (greeted) return 'greeted';
    if (Date.now() > deadline) return 'late';
    await delay(POLL_MS);
  }
}
