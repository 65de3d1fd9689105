import fc from 'fast-check';
import { Redis } from 'ioredis';
import { provideRedis, ServerUnavailableError, type RedisHandle } from '../../scripts/server';
import { InvalidArgumentError, KeyValueStore, WrongTypeError } from '../../src/index';
import { longForm } from '../support/long-form';
import { RedisFace } from '../support/redis-face';
import { onEachServer } from '../support/servers';
import { StoreBench } from '../support/store-bench';
import { COMMANDS_DRAWN, scripts, type Call } from '../support/store-commands';

const PROPERTY = longForm<{ numRuns: number; seed?: number }>('BOOMERANG_STORE_REDIS', {
  numRuns: 14,
});
const CLIENTS = 3;
const LENGTH = 40;

const UNORDERED = ['smembers', 'scan', 'hgetAll'];
const THEIR_REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/WRONGTYPE|not an integer|not a valid float|not a float/, 'wrong type'],
  [/overflow/, 'out of range'],
];

/** A reply in the form in which two can be compared. */
function comparable(command: string, reply: unknown): unknown {
  if (typeof reply === 'bigint') return String(reply);
  if (command === 'ttl') return Number(reply) > 0 ? 'lives' : reply;
  if (!UNORDERED.includes(command)) return reply;
  return typeof reply === 'object' && reply !== null && Symbol.iterator in reply
    ? [...(reply as Iterable<unknown>)].map((one) => JSON.stringify(one)).sort()
    : reply;
}

async function outcome(command: string, reply: Promise<unknown>): Promise<unknown> {
  try {
    return comparable(command, await reply);
  } catch (error) {
    if (error instanceof WrongTypeError) return 'wrong type';
    if (error instanceof InvalidArgumentError) return 'out of range';
    const { message } = error as Error;
    const known = THEIR_REFUSALS.find(([pattern]) => pattern.test(message));
    if (known === undefined) throw error;
    return known[1];
  }
}

async function run(store: KeyValueStore, { command, args }: Call): Promise<unknown> {
  const methods = store as unknown as Record<string, (...given: readonly unknown[]) => unknown>;
  const reply = methods[command]!(...args);
  if (command !== 'scan') return reply;
  const keys: string[] = [];
  for await (const key of reply as AsyncIterable<string>) keys.push(key);
  return keys;
}

let redis: RedisHandle | undefined;
let client: Redis | undefined;

beforeAll(async () => {
  try {
    redis = await provideRedis();
    client = new Redis({ port: redis.port, host: redis.host, stringNumbers: true });
  } catch (error) {
    if (!(error instanceof ServerUnavailableError)) throw error;
    process.stderr.write(`\nskipped: no comparison with Redis: ${error.message}\n`);
  }
}, 120_000);

afterAll(async () => {
  client?.disconnect();
  await redis?.stop();
});

onEachServer((bench) => {
  new StoreBench(bench);

  it('replies to whatever commands as Redis does, of several clients at once', async () => {
    if (client === undefined) return;
    const face = client;
    const seen = new Set<string>();
    const db = bench.open({ connectionLimit: CLIENTS });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(scripts(CLIENTS, LENGTH), async (script) => {
        await face.flushall();
        const number = runs++;
        const play = async (calls: readonly Call[], at: number): Promise<void> => {
          const mine = new KeyValueStore(db, { namespace: `${number} ${at}`, sweepInterval: 0 });
          const theirs = new RedisFace(face, `${number} ${at}:`);
          for (const call of calls) {
            let raw: unknown;
            const ours = await outcome(
              call.command,
              run(mine, call).then((reply) => (raw = reply)),
            );
            const expected = await outcome(call.command, theirs.run(call, raw));
            seen.add(call.command);
            expect([call, ours]).toEqual([call, expected]);
          }
        };
        // All of them to their end: what one still did would disturb the next run.
        const ends = await Promise.allSettled(script.map(play));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      }),
      PROPERTY,
    );
    // Every command was compared.
    expect(COMMANDS_DRAWN.filter((command) => !seen.has(command))).toEqual([]);
  }, 3_600_000);
});
