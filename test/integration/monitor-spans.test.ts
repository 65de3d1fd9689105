import { context, trace, type Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  ConfigurationError,
  connectionScope,
  type RetryingPooledDatabase,
  type StatementMessage,
} from '../../src/index';
import { openTelemetry } from '../../src/monitor/index';
import { onEachServer } from '../support/servers';
import { failure } from '../support/until';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const contexts = new AsyncLocalStorageContextManager();

beforeAll(() => {
  context.setGlobalContextManager(contexts.enable());
  trace.setGlobalTracerProvider(provider);
});
afterAll(async () => {
  await provider.shutdown();
  trace.disable();
  context.disable();
});

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let stop: () => void = () => {};

  beforeEach(() => {
    exporter.reset();
    db = bench.open({ connectionLimit: 2 });
  });
  afterEach(() => stop());

  /** Runs it inside a span of the program's own. */
  const inside = <T>(name: string, work: () => Promise<T>): Promise<T> =>
    trace.getTracer('test').startActiveSpan(name, async (span: Span) => {
      try {
        return await work();
      } finally {
        span.end();
      }
    });
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans();
  const named = (name: string): ReadableSpan[] =>
    spans().filter((span) => span.name.startsWith(name));
  const operationOf = ({ attributes }: ReadableSpan) => attributes['db.operation.name'];
  const ours = (): ReadableSpan[] => spans().filter((span) => operationOf(span) !== undefined);
  const childrenOf = (outer: ReadableSpan): ReadableSpan[] =>
    spans().filter((span) => span.parentSpanContext?.spanId === outer.spanContext().spanId);

  it('each statement is a span, a child of the one it was issued in, with no value in it', async () => {
    stop = await openTelemetry();
    await inside('the program', () => db.execute('SELECT ? AS a', ['secret']));
    const [[span], [outer]] = [ours(), named('the program')];
    expect(span).toMatchObject({
      name: `SELECT ${bench.schema}`,
      parentSpanContext: { spanId: outer!.spanContext().spanId },
      attributes: {
        'db.system.name': bench.server.flavour,
        'db.operation.name': 'SELECT',
        'db.namespace': bench.schema,
        'server.address': bench.server.host,
        'server.port': bench.server.port,
      },
    });
    expect(JSON.stringify(span!.attributes)).not.toMatch(/secret|AS a/);
  });

  it('statements of callers that wait for a connection stay each with its caller', async () => {
    stop = await openTelemetry();
    await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        inside(`the program ${at}`, () =>
          connectionScope(async () => {
            await db.query(`DO ${at}`);
            await db.atomic(() => db.query(`DO ${at}`));
          }),
        ),
      ),
    );
    const outers = named('the program');
    for (const outer of outers) {
      const [wait, statement, transaction, ...others] = childrenOf(outer);
      expect(wait?.name).toBe(`wait for connection ${bench.schema}`);
      expect(operationOf(statement!)).toBe('DO');
      expect(transaction?.name).toBe(`transaction ${bench.schema}`);
      expect(childrenOf(transaction!).map(operationOf)).toEqual(['BEGIN', 'DO', 'COMMIT']);
      expect(others).toEqual([]);
    }
    expect([outers.length, ours().length]).toEqual([12, 48]);
  });

  it('an outermost transaction is a span with its outcome; what it runs, and the program’s own, are inside', async () => {
    stop = await openTelemetry();
    await db.query('DO 0');
    await db.atomic(
      async (tx) => {
        await inside('the program', () => tx.query('DO 1'));
        await db.atomic(() => db.query('DO 2'));
        await db.atomic(() => db.query('DO 3'), { requiresNew: true });
        tx.afterCommit(() => inside('the program after', () => db.query('DO 4')));
      },
      { label: 'Orders.place' },
    );
    const [beside, outer, ...others] = named('transaction');
    expect(others).toEqual([]);
    expect(outer!.attributes).toEqual({
      'db.namespace': bench.schema,
      'server.address': bench.server.host,
      'server.port': bench.server.port,
      'mysql_boomerang.label': 'Orders.place',
      'mysql_boomerang.outcome': 'committed',
    });
    const [own, after] = named('the program');
    const within = childrenOf(outer!).map((span) => operationOf(span) ?? span.name);
    expect(within).toEqual([
      'the program',
      'SAVEPOINT',
      'DO',
      'RELEASE',
      beside!.name,
      'COMMIT',
      'the program after',
    ]);
    expect(childrenOf(own!).map(operationOf)).toEqual(['BEGIN', 'DO']);
    // Its connection is a further one, which has to be opened.
    const [wait, ...statements] = childrenOf(beside!);
    expect(wait!.name).toMatch(/^wait for connection/);
    expect(statements.map(operationOf)).toEqual(['BEGIN', 'DO', 'COMMIT']);
    expect(childrenOf(after!).map(operationOf)).toEqual(['DO']);
  });

  it('a transaction that failed bears the error’s kind, and of a message nothing', async () => {
    stop = await openTelemetry();
    for (const thrown of [new TypeError('secret'), undefined]) {
      exporter.reset();
      await db.atomic(() => Promise.reject(thrown)).catch(() => {});
      const [span] = named('transaction');
      const type = thrown?.name ?? 'Error';
      expect(span!.attributes).toMatchObject({
        'error.type': type,
        'mysql_boomerang.outcome': 'rolledBack',
      });
      expect(span!.status).toEqual({ code: 2, message: type });
      expect(span!.events).toEqual([]);
    }
  });

  it('a wait for a connection is a span where there was one, failed if none came', async () => {
    stop = await openTelemetry();
    const held = await Promise.all([db.getConnection(), db.getConnection()]);
    exporter.reset();
    const late = inside('the program', () =>
      connectionScope(() => db.query('DO 1', [], { timeout: 20 }), { label: 'Late.method' }),
    );
    await failure(late);
    const [wait] = named('wait');
    expect(childrenOf(named('the program')[0]!)).toEqual([wait]);
    expect(wait).toMatchObject({
      attributes: { 'mysql_boomerang.label': 'Late.method', 'error.type': 'ERR_STATEMENT_TIMEOUT' },
      status: { code: 2 },
    });
    await held[0].release();
    exporter.reset();
    await db.query('DO 1');
    expect([named('wait'), ours().length]).toEqual([[], 1]);
    await held[1].release();
  });

  it('a failure bears its code and number, and not the server’s message, which quotes values', async () => {
    stop = await openTelemetry();
    await db.query("INSERT INTO notes VALUES (1, 'x')");
    await failure(db.query("INSERT INTO notes VALUES (1, 'x')"));
    const failed = ours().at(-1)!;
    expect(failed.attributes).toMatchObject({
      'error.type': 'ER_DUP_ENTRY',
      'db.response.status_code': '1062',
    });
    expect(failed.status).toEqual({ code: 2, message: 'ER_DUP_ENTRY' });
    expect(failed.events).toEqual([]);
  });

  it('the text is there where it was asked for, without its values', async () => {
    stop = await openTelemetry({ text: true });
    await db.query("SELECT 'secret' AS a");
    expect(ours()[0]!.attributes['db.query.text']).toBe('SELECT ? AS a');
  });

  it('after the end there are none', async () => {
    const end = await openTelemetry();
    end();
    end();
    await db.atomic(() => db.query('DO 1'));
    expect(spans()).toEqual([]);
  });

  it('a bad option is refused by its name', async () => {
    for (const options of [{ text: 1 }, { texts: true }, null]) {
      expect(await failure(openTelemetry(options as never))).toBeInstanceOf(ConfigurationError);
    }
  });

  it('the tracing channel tells the same, to whoever subscribes', async () => {
    const told: [string, StatementMessage][] = [];
    const names = ['start', 'end', 'error', 'asyncStart', 'asyncEnd'];
    const listeners = names.map((name) => {
      const listener = (message: unknown): void => {
        told.push([name, message as StatementMessage]);
      };
      subscribe(`tracing:mysql-boomerang.statement:${name}`, listener);
      return listener;
    });
    stop = () => {
      for (const [at, name] of names.entries()) {
        unsubscribe(`tracing:mysql-boomerang.statement:${name}`, listeners[at]!);
      }
    };
    await db.query("SELECT 'secret' AS a");
    expect(told.map(([name]) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    const [, message] = told[0]!;
    expect(new Set(told.map(([, each]) => each))).toEqual(new Set([message]));
    expect(message).toMatchObject({ operation: 'SELECT', text: 'SELECT ? AS a' });
    expect(message.elapsed).toBeGreaterThan(0);
    expect(JSON.stringify(message)).not.toContain('secret');
    told.length = 0;
    await failure(db.query('SELECT nothing'));
    expect(told.map(([name]) => name)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(told[0]![1].error).toMatchObject({ errno: 1054 });
  });
});
