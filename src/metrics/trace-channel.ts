import {
  channel,
  tracingChannel,
  type Channel,
  type TracingChannel,
} from 'node:diagnostics_channel';

/** Which server a database is on, as it was configured. */
export interface ServerName {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
}

/** What the messages of all tracing channels have. */
export interface TraceMessage extends ServerName {
  /** In ms; there once it has settled. */
  elapsed?: number;
  /** There once it has failed. Its message may quote values. */
  error?: unknown;
}

/** A tracing channel of `node:diagnostics_channel`: `tracing:<name>:start` and so on. */
export class TraceChannel<Message extends TraceMessage> {
  readonly #events: TracingChannel<unknown, Message>;
  readonly #begins: Channel;
  readonly #ends: Channel;

  constructor(name: string) {
    this.#events = tracingChannel(name);
    this.#begins = channel(`tracing:${name}:start`);
    this.#ends = channel(`tracing:${name}:asyncEnd`);
  }

  /** Asked on the way of every statement: plain fields of Node's. */
  get isHeard(): boolean {
    return this.#begins.hasSubscribers || this.#ends.hasSubscribers;
  }

  /** It begins here, in the context of who issued it, and goes on until {@link settle}. */
  begin(message: Message): void {
    this.#events.start.publish(message);
    this.#events.end.publish(message);
  }

  /** The same, with `fn` in the context of its own that subscribers have bound to its beginning. */
  run<T>(message: Message, fn: () => T): T {
    return this.#events.start.runStores(message, () => {
      const result = fn();
      this.#events.end.publish(message);
      return result;
    });
  }

  /** @param failure with what it has failed; `undefined` where it has not. */
  settle(message: Message, elapsed: number, failure?: { readonly error: unknown }): void {
    message.elapsed = elapsed;
    if (failure !== undefined) {
      message.error = failure.error;
      this.#events.error.publish(message);
    }
    this.#events.asyncStart.publish(message);
    this.#events.asyncEnd.publish(message);
  }
}
