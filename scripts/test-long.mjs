/**
 * `npm run test:long [name …]`: the long forms of proofs that `npm test` runs in short, minutes each.
 * Seeded: `--seed N` repeats a run; the seed is printed.
 */
import { parseArgs } from 'node:util';
import { ensureInstalled, runNode } from './bootstrap.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, list: { type: 'boolean', default: false } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

/** By name: the test file, which of its tests, and the size of the long form. */
const forms = {
  load: {
    file: 'test/integration/load',
    test: 'decorated calls',
    about: '1,000,000 decorated calls from 200 callers',
    env: { BOOMERANG_LOAD: 1_000_000 },
  },
  property: {
    file: 'test/integration/pool-property',
    test: '',
    about: '3,000 random histories of a pool against a model and PROCESSLIST',
    env: { BOOMERANG_PROPERTY: { numRuns: 3000, seed } },
  },
  blocks: {
    file: 'test/integration/atomic-property',
    test: '',
    about: '3,000 random trees of transaction blocks against a model, on each server',
    env: { BOOMERANG_BLOCKS: { numRuns: 3000, seed } },
  },
  locks: {
    file: 'test/integration/lock-exclusion',
    test: '',
    about:
      'processes that are killed, stopped and cut off while they count under locks, on each server',
    env: { BOOMERANG_LOCKS: { seconds: 100, servers: 9 } },
  },
  lockModel: {
    file: 'test/integration/lock-property',
    test: '',
    about: '1,500 random histories of locks of three clients against a model, on each server',
    env: { BOOMERANG_LOCK_MODEL: { numRuns: 1500, seed } },
  },
  lockGalera: {
    file: 'test/integration/lock-galera',
    test: '',
    about: 'locks on two nodes of a Galera cluster at once',
    env: { BOOMERANG_LOCK_GALERA: { seconds: 15 } },
  },
  storeRedis: {
    file: 'test/integration/store-redis',
    test: '',
    about: '120,000 random commands of the store against a real Redis, on each server',
    env: { BOOMERANG_STORE_REDIS: { numRuns: 1000, seed } },
  },
  cacheModel: {
    file: 'test/integration/cache-property',
    test: '',
    about:
      '1,000 random histories of a cache of three clients against a map with a clock, on each server',
    env: { BOOMERANG_CACHE_MODEL: { numRuns: 1000, seed } },
  },
  cacheGalera: {
    file: 'test/integration/cache-galera',
    test: '',
    about: 'a cache on two nodes of a Galera cluster at once',
    env: { BOOMERANG_CACHE_GALERA: { rounds: 100 } },
  },
  cacheSweep: {
    file: 'test/integration/cache-upkeep',
    test: 'many rows whose time is over',
    about: '1,000,000 entries whose time is over removed while 16 clients write, on each server',
    env: { BOOMERANG_CACHE_SWEEP: { rows: 1_000_000, clients: 16 } },
  },
  queue: {
    file: 'test/integration/queue-processes',
    test: '',
    about:
      '200,000 messages, 8 processes that are killed and stopped, lost answers, the server killed',
    env: { BOOMERANG_QUEUE: { messages: 200_000, processes: 8, servers: 9, restarts: 3 } },
  },
  queueModel: {
    file: 'test/integration/queue-property',
    test: '',
    about: '1,500 random histories of a queue against a model, on each server',
    env: { BOOMERANG_QUEUE_MODEL: { numRuns: 1500, seed } },
  },
  queueGalera: {
    file: 'test/integration/queue-galera',
    test: '',
    about: 'a queue on two nodes of a Galera cluster at once',
    env: { BOOMERANG_QUEUE_GALERA: { messages: 2000 } },
  },
  tenants: {
    file: 'test/integration/tenants-fleet',
    test: '',
    about: '200 tenants within a bound of 20 open ones for two minutes, on each server',
    env: { BOOMERANG_TENANTS: { seconds: 120, servers: 9 } },
  },
  cliGalera: {
    file: 'test/integration/cli-galera',
    test: '',
    about: 'the command line on a Galera cluster, whole and without a majority',
    env: { BOOMERANG_CLI_GALERA: true },
  },
  galera: {
    file: 'test/server/(galera|lifetime)',
    test: '',
    about: 'a Galera cluster cut in parts, without a majority, and killed as a whole',
    env: { BOOMERANG_GALERA: true },
  },
  rhythm: {
    file: 'test/integration/operation',
    test: 'the rhythm',
    about: 'a statement every 30 s against wait_timeout of 20 s, for five minutes',
    env: { BOOMERANG_RHYTHM: { waitTimeout: 20, pause: 30, rounds: 10 } },
  },
  faults: {
    file: 'test/integration/fault-matrix',
    test: '',
    about: 'every fault at every moment, four times, and 60 times at any time, on every server',
    env: {
      BOOMERANG_FAULTS: {
        rounds: 4,
        strikes: 60,
        restarted: ['', 'mariadb-11.8', 'mysql-9.7'],
        seed,
      },
    },
  },
};

if (values.list) {
  for (const [name, { about }] of Object.entries(forms)) console.log(`${name.padEnd(10)} ${about}`);
  process.exit(0);
}
const unknown = positionals.find((name) => !(name in forms));
if (unknown !== undefined) {
  console.error(`There is no long form '${unknown}'; there are ${Object.keys(forms).join(', ')}.`);
  process.exit(2);
}
await ensureInstalled();
console.log(`seed ${seed}`);
let failed = false;
for (const name of positionals.length > 0 ? positionals : Object.keys(forms)) {
  const { file, test, about, env } = forms[name];
  console.log(`\n--- ${name}: ${about}`);
  const variables = Object.entries(env).map(([key, value]) => [key, JSON.stringify(value)]);
  const options = [file, '-t', test, '--selectProjects', 'standard'];
  const { code } = await runNode('node_modules/jest/bin/jest.js', options, {
    env: { ...process.env, ...Object.fromEntries(variables) },
  });
  failed ||= code !== 0;
}
process.exit(failed ? 1 : 0);
