import { createPool as createMariadbPool } from 'mariadb';
import { setTimeout as wait } from 'node:timers/promises';
import { createPool } from 'mysql2/promise';
import type { Bench, BenchServer, Library, Part } from './part';
import { atMost, type Measurement } from './result';
import { SlowConnectProxy } from './slow-connect-proxy';
import { medianOf, spreadOf } from './spread';

const REQUESTS = 50;
const IDLE = 5;
const CONNECT = 150;
const STATEMENT = 'DO SLEEP(0.002)';

interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly connectionLimit: number;
}

interface Spiked {
  query(sql: string): Promise<unknown>;
  getConnection(): Promise<{ release(): unknown }>;
  end(): Promise<unknown>;
}

interface Outcome {
  readonly milliseconds: number;
  readonly connects: number;
}

type Opener = (library: Library, address: Address) => Spiked;

/** Ours first; the others in the order of their rows. */
const openers: ReadonlyMap<string, Opener> = new Map<string, Opener>([
  ['ours', ({ RetryingPooledDatabase }, address) => new RetryingPooledDatabase(address)],
  ['mysql2', (_, address) => createPool(address)],
  ['mariadb', (_, address) => createMariadbPool({ ...address, minimumIdle: IDLE })],
]);

async function spike(open: Opener, library: Library, server: BenchServer): Promise<Outcome> {
  const proxy = await SlowConnectProxy.start(server, CONNECT);
  const { host, port } = proxy;
  const { user, password, database } = server;
  const pool = open(library, { host, port, user, password, database, connectionLimit: REQUESTS });
  const held = await Promise.all(Array.from({ length: IDLE }, () => pool.getConnection()));
  await Promise.all(held.map((connection) => connection.release()));
  // A pool that goes on opening what nobody asked for may finish that first.
  await wait(2 * CONNECT);
  const before = proxy.accepted;
  const begun = performance.now();
  await Promise.all(Array.from({ length: REQUESTS }, () => pool.query(STATEMENT)));
  const milliseconds = performance.now() - begun;
  await wait(2 * CONNECT);
  const connects = proxy.accepted - before;
  await pool.end();
  await proxy.close();
  return { milliseconds, connects };
}

function said(outcomes: readonly Outcome[]): string {
  const milliseconds = medianOf(outcomes.map((one) => one.milliseconds));
  return `${medianOf(outcomes.map(({ connects }) => connects))} new ${milliseconds.toFixed(0)} ms`;
}

async function run({ library, server, blocks }: Bench): Promise<Measurement[]> {
  const outcomes = new Map<string, Outcome[]>([...openers.keys()].map((name) => [name, []]));
  // The first round compiles and caches, and is not counted.
  for (let round = 0; round <= blocks; round++) {
    for (const [name, open] of openers) {
      const outcome = await spike(open, library, server);
      if (round > 0) outcomes.get(name)!.push(outcome);
    }
  }
  const [ours, ...others] = outcomes;
  const [, mine] = ours!;
  const most = Math.max(...mine.map(({ connects }) => connects));
  return others.map(([name, theirs]) => {
    const ratio = spreadOf(mine.map((one, at) => one.milliseconds / theirs[at]!.milliseconds));
    return {
      part: 'spike',
      name: `time of ${REQUESTS} requests on ${IDLE} idle : ${name}`,
      concurrency: REQUESTS,
      ratio,
      figures: `${said(mine)} : ${said(theirs)}`,
      bars:
        name === 'mysql2' ? [atMost('time', ratio.median, 0.17), atMost('most new', most, 2)] : [],
    };
  });
}

export const spikePart: Part = {
  name: 'spike',
  summary: 'many requests at once on few idle connections, where a connect is slow',
  run,
};
