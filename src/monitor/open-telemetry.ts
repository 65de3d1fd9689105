import type * as Api from '@opentelemetry/api';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ConfigurationError } from '../errors';
import { internals } from '../internals';
import type { StatementMessage } from '../metrics/statement-channel';

export interface OpenTelemetryOptions {
  /** Spans bear the statement's text with every literal replaced; a value never. @default false */
  readonly text?: boolean;
}

const CHANNEL = 'tracing:mysql-boomerang.statement';

const { describe, resolve, rules } = internals;

async function apiOf(): Promise<typeof Api> {
  try {
    return await import('@opentelemetry/api');
  } catch (cause) {
    const rule = 'needs the package @opentelemetry/api, which is not installed';
    throw new ConfigurationError('openTelemetry', rule, { cause });
  }
}

/** The attributes of OpenTelemetry's semantic conventions for database spans. */
function attributesOf(message: StatementMessage, withText: boolean): Api.Attributes {
  const { system, operation, host, port, database } = message;
  return {
    'db.system.name': system,
    'db.operation.name': operation,
    ...(database === undefined ? {} : { 'db.namespace': database }),
    ...(host === undefined ? {} : { 'server.address': host }),
    ...(port === undefined ? {} : { 'server.port': port }),
    ...(withText ? { 'db.query.text': message.text } : {}),
  };
}

/** What failed, without the message: servers quote values in theirs. */
function noteError(span: Api.Span, error: Error, api: typeof Api): void {
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  const type = typeof code === 'string' ? code : error.name;
  span.setAttribute('error.type', type);
  if (typeof errno === 'number') span.setAttribute('db.response.status_code', String(errno));
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: type });
}

/**
 * Makes a span of each statement of every database in this process, as a child of the span that is
 * active where it was issued, by OpenTelemetry's API: it takes effect with the SDK that the program
 * has set up. Needs the package `@opentelemetry/api`.
 *
 * @returns what ends it.
 * @throws {ConfigurationError} where `@opentelemetry/api` is not installed.
 */
export async function openTelemetry(options: OpenTelemetryOptions = {}): Promise<() => void> {
  if (rules.record(options) !== undefined) {
    throw new ConfigurationError('options', `must be an object, got ${describe(options)}`);
  }
  const { text } = resolve(options, { text: rules.flag }, { text: false });
  const api = await apiOf();
  const tracer = api.trace.getTracer('mysql-boomerang');
  const spans = new WeakMap<object, Api.Span>();
  const start = (data: unknown): void => {
    const message = data as StatementMessage;
    const { operation, database } = message;
    const name = database === undefined ? operation : `${operation} ${database}`;
    const attributes = attributesOf(message, text);
    spans.set(message, tracer.startSpan(name, { kind: api.SpanKind.CLIENT, attributes }));
  };
  const end = (data: unknown): void => {
    const message = data as StatementMessage;
    const span = spans.get(message);
    if (span === undefined) return;
    if (message.error !== undefined) noteError(span, message.error, api);
    span.end();
  };
  subscribe(`${CHANNEL}:start`, start);
  subscribe(`${CHANNEL}:asyncEnd`, end);
  return () => {
    unsubscribe(`${CHANNEL}:start`, start);
    unsubscribe(`${CHANNEL}:asyncEnd`, end);
  };
}
