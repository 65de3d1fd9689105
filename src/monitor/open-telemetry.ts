import type * as Api from '@opentelemetry/api';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ConfigurationError } from '../errors';
import { internals } from '../internals';
import type { StatementMessage } from '../metrics/statement-channel';
import type { ServerName, TraceMessage } from '../metrics/trace-channel';
import type { TransactionMessage } from '../metrics/transaction-channel';
import type { WaitMessage } from '../metrics/wait-channel';

export interface OpenTelemetryOptions {
  /** Spans bear the statement's text with every literal replaced; a value never. @default false */
  readonly text?: boolean;
}

const { describe, enteringStorage, resolve, rules } = internals;

async function apiOf(): Promise<typeof Api> {
  try {
    return await import('@opentelemetry/api');
  } catch (cause) {
    const rule = 'needs the package @opentelemetry/api, which is not installed';
    throw new ConfigurationError('openTelemetry', rule, { cause });
  }
}

/** What OpenTelemetry's semantic conventions say of where a database is. */
function placeOf({ host, port, database }: ServerName): Api.Attributes {
  return {
    ...(database === undefined ? {} : { 'db.namespace': database }),
    ...(host === undefined ? {} : { 'server.address': host }),
    ...(port === undefined ? {} : { 'server.port': port }),
  };
}

/** What failed, without the message: servers quote values in theirs. */
function noteError(span: Api.Span, error: unknown, api: typeof Api): void {
  const { code, errno, name } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const type = typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error';
  span.setAttribute('error.type', type);
  if (typeof errno === 'number') span.setAttribute('db.response.status_code', String(errno));
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: type });
}

/** How one kind of thing becomes spans. */
interface Spans<Message extends TraceMessage> {
  /** Of `node:diagnostics_channel`, without `tracing:`. */
  readonly channel: string;
  /** In the context of who began it. */
  readonly begin: (message: Message) => Api.Span;
  /** What is known at its end, beside the error. */
  readonly settled?: (span: Api.Span, message: Message) => void;
}

/**
 * Makes spans of what a channel tells. What runs inside one that has an extent of code, as a transaction has,
 * is its child.
 *
 * @returns what ends it.
 */
function follow<Message extends TraceMessage>(
  { channel: name, begin, settled }: Spans<Message>,
  api: typeof Api,
): () => void {
  const spans = new WeakMap<object, Api.Span>();
  const begins = `tracing:${name}:start`;
  const ends = `tracing:${name}:asyncEnd`;
  const start = (data: unknown): void => {
    const message = data as Message;
    if (!spans.has(message)) spans.set(message, begin(message));
  };
  const inside = (data: unknown): Api.Context => {
    // Asked before `start` is told: the span's parent is the context outside.
    start(data);
    const active = api.context.active();
    const span = spans.get(data as Message);
    return span === undefined ? active : api.trace.setSpan(active, span);
  };
  const end = (data: unknown): void => {
    const message = data as Message;
    const span = spans.get(message);
    if (span === undefined) return;
    settled?.(span, message);
    if ('error' in message) noteError(span, message.error, api);
    span.end();
  };
  const store = enteringStorage<Api.Context>((context, fn) => api.context.with(context, fn));
  subscribe(begins, start);
  channel(begins).bindStore(store, inside);
  subscribe(ends, end);
  return () => {
    unsubscribe(begins, start);
    channel(begins).unbindStore(store);
    unsubscribe(ends, end);
  };
}

/**
 * Makes a span of each statement, each outermost transaction and each wait for a connection of every
 * database in this process, as a child of the span that is active where it was issued, by OpenTelemetry's
 * API: it takes effect with the SDK that the program has set up. Needs the package `@opentelemetry/api`.
 *
 * @returns what ends it.
 * @throws {ConfigurationError} where `@opentelemetry/api` is not installed.
 */
export async function openTelemetry(options: OpenTelemetryOptions = {}): Promise<() => void> {
  if (rules.record(options) !== undefined) {
    throw new ConfigurationError('options', `must be an object, got ${describe(options)}`);
  }
  const { text: withText } = resolve(options, { text: rules.flag }, { text: false });
  const api = await apiOf();
  const tracer = api.trace.getTracer('mysql-boomerang');
  const { CLIENT, INTERNAL } = api.SpanKind;
  const of = (what: string, { database }: ServerName): string =>
    database === undefined ? what : `${what} ${database}`;
  /** Of what the conventions have no word for. */
  const own = (what: string, message: TransactionMessage | WaitMessage): Api.Span => {
    const { label } = message;
    const named = label === undefined ? {} : { 'mysql_boomerang.label': label };
    const attributes = { ...placeOf(message), ...named };
    return tracer.startSpan(of(what, message), { kind: INTERNAL, attributes });
  };
  const statements: Spans<StatementMessage> = {
    channel: 'mysql-boomerang.statement',
    begin: (message) =>
      tracer.startSpan(of(message.operation, message), {
        kind: CLIENT,
        attributes: {
          'db.system.name': message.system,
          'db.operation.name': message.operation,
          ...placeOf(message),
          ...(withText ? { 'db.query.text': message.text } : {}),
        },
      }),
  };
  const transactions: Spans<TransactionMessage> = {
    channel: 'mysql-boomerang.transaction',
    begin: (message) => own('transaction', message),
    settled: (span, { outcome = 'committed' }) =>
      void span.setAttribute('mysql_boomerang.outcome', outcome),
  };
  const waits: Spans<WaitMessage> = {
    channel: 'mysql-boomerang.wait',
    begin: (message) => own('wait for connection', message),
  };
  const ends = [follow(statements, api), follow(transactions, api), follow(waits, api)];
  return () => {
    for (const end of ends) end();
  };
}
