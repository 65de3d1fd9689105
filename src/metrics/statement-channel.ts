import type { Connection } from '../driver/connection';
import { normalizeSql } from '../driver/sql-text';
import { operationOf } from './operation';
import { TraceChannel, type ServerName, type TraceMessage } from './trace-channel';

/**
 * What subscribers of the tracing channel `mysql-boomerang.statement` get. One object per statement:
 * the same for all its events.
 */
export interface StatementMessage extends TraceMessage {
  /** Its first word in capitals; `OTHER` where that is none of the usual. */
  readonly operation: string;
  /** The text with every literal replaced; made when it is read. Never a value. */
  readonly text: string;
  /** The server's kind, and number of the session. */
  readonly system: 'mariadb' | 'mysql';
  readonly threadId: number;
  /** The driver's or server's error; there once it has failed. Its message may quote values. */
  error?: Error;
}

/** The tracing channel of statements. */
export const STATEMENT_CHANNEL = 'mysql-boomerang.statement';

export const statementChannel = new TraceChannel<StatementMessage>(STATEMENT_CHANNEL);

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
  statementChannel.begin(message);
  return (elapsed, error) => {
    statementChannel.settle(message, elapsed, error === null ? undefined : { error });
  };
}
