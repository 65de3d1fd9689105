import { channel, tracingChannel, type TracingChannel } from 'node:diagnostics_channel';
import type { Connection } from '../driver/connection';
import { normalizeSql } from '../driver/sql-text';
import { operationOf } from './operation';

/**
 * What subscribers of the tracing channel `mysql-boomerang.statement` get. One object per statement:
 * the same for all its events.
 */
export interface StatementMessage {
  /** Its first word in capitals; `OTHER` where that is none of the usual. */
  readonly operation: string;
  /** The text with every literal replaced; made when it is read. Never a value. */
  readonly text: string;
  /** The server's kind, and number of the session. */
  readonly system: 'mariadb' | 'mysql';
  readonly threadId: number;
  /** As configured. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  /** In ms; there once it has settled. */
  elapsed?: number;
  /** The driver's or server's error; there once it has failed. Its message may quote values. */
  error?: Error;
}

/** Which server a database is on, as it was configured. */
export interface ServerName {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
}

/** The tracing channel of statements: `tracing:mysql-boomerang.statement:start` and so on. */
export const STATEMENT_CHANNEL = 'mysql-boomerang.statement';

const events: TracingChannel<unknown, StatementMessage> = tracingChannel(STATEMENT_CHANNEL);

/** Asked on the way of every statement: a plain field of Node's. */
const begins = channel(`tracing:${STATEMENT_CHANNEL}:start`);
const ends = channel(`tracing:${STATEMENT_CHANNEL}:asyncEnd`);

export function isTraced(): boolean {
  return begins.hasSubscribers || ends.hasSubscribers;
}

/** Begins a statement's trace in the context of who issued it. What it gives ends the trace. */
export function traceStatement(
  sql: string,
  { flavour, threadId }: Connection,
  { host, port, database }: ServerName,
): (elapsed: number, error: Error | null) => void {
  const message: StatementMessage = {
    operation: operationOf(sql),
    get text() {
      return normalizeSql(sql);
    },
    system: flavour,
    threadId,
    host,
    port,
    database,
  };
  events.start.publish(message);
  events.end.publish(message);
  return (elapsed, error) => {
    message.elapsed = elapsed;
    if (error !== null) {
      message.error = error;
      events.error.publish(message);
    }
    events.asyncStart.publish(message);
    events.asyncEnd.publish(message);
  };
}
