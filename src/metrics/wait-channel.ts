import type { Clock } from '../clock';
import { TraceChannel, type ServerName, type TraceMessage } from './trace-channel';

/**
 * What subscribers of the tracing channel `mysql-boomerang.wait` get: one object for each caller that has to
 * wait for a connection, because none is idle.
 */
export interface WaitMessage extends TraceMessage {
  /** Of the decorated method or scope that waits. */
  readonly label: string | undefined;
}

/** The tracing channel of waits for a connection. */
export const WAIT_CHANNEL = 'mysql-boomerang.wait';

export const waitChannel = new TraceChannel<WaitMessage>(WAIT_CHANNEL);

/** Tells of a wait that has begun just now, in the context of who waits. */
export function traceWait<T>(
  { host, port, database }: ServerName,
  label: string | undefined,
  clock: Clock,
  wait: Promise<T>,
): Promise<T> {
  const message: WaitMessage = { label, host, port, database };
  const begun = clock.now();
  waitChannel.begin(message);
  return wait.then(
    (value) => {
      waitChannel.settle(message, clock.now() - begun);
      return value;
    },
    (error: unknown) => {
      waitChannel.settle(message, clock.now() - begun, { error });
      throw error;
    },
  );
}
