import { measureBacklog } from './queue-backlog';
import { openOurs, openTheirs, type QueueContestant } from './queue-contestants';
import { measureLatency } from './queue-latency';
import type { Bench, Part } from './part';
import { redisForComparison } from './redlock';
import { atLeast, type Measurement } from './result';
import { medianOf, spreadOf } from './spread';

/** Messages of one round; rounds of both sides take turns. */
const ROUND = 2000;
const ROUNDS_PER_BLOCK = 3;
/** Callers who add one message each at the same moment. */
const AT_ONCE = 100;

type Adding = (side: QueueContestant, count: number) => Promise<unknown>;

async function singly(side: QueueContestant, count: number): Promise<void> {
  for (let added = 0; added < count; added += AT_ONCE) await side.add(AT_ONCE);
}

/** Messages per second, from the first that is added to the last that is acknowledged; and CPU µs of each. */
async function round(side: QueueContestant, add: Adding): Promise<{ speed: number; cpu: number }> {
  let handled = 0;
  const all = new Promise<void>((resolve) => {
    side.onHandled = () => {
      if (++handled === ROUND) resolve();
    };
  });
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await add(side, ROUND);
  await all;
  await side.settled();
  const speed = (ROUND * 1000) / (performance.now() - begun);
  const { user, system } = process.cpuUsage(cpu);
  return { speed, cpu: (user + system) / ROUND };
}

async function endToEnd(
  bench: Bench,
  sides: readonly [QueueContestant, QueueContestant],
  name: string,
  add: Adding,
  bar: number,
): Promise<Measurement> {
  const blocks: { speed: number; cpu: number }[][] = [];
  for (const side of sides) await round(side, add);
  for (let block = 0; block < bench.blocks; block++) {
    const sums = sides.map(() => ({ speed: 0, cpu: 0 }));
    for (let turn = 0; turn < ROUNDS_PER_BLOCK; turn++) {
      for (const at of turn % 2 === 0 ? [0, 1] : [1, 0]) {
        const { speed, cpu } = await round(sides[at]!, add);
        // Times are what adds up.
        sums[at]!.speed += 1 / speed;
        sums[at]!.cpu += cpu;
      }
    }
    blocks.push(sums.map(({ speed, cpu }) => ({ speed: 1 / speed, cpu })));
  }
  const ratio = spreadOf(blocks.map(([ours, theirs]) => ours!.speed / theirs!.speed));
  const cpu = spreadOf(blocks.map(([ours, theirs]) => ours!.cpu / theirs!.cpu));
  const perSecond = (at: number): string =>
    `${((medianOf(blocks.map((block) => block[at]!.speed)) * ROUNDS_PER_BLOCK) / 1000).toFixed(1)} k/s`;
  return {
    part: 'queue',
    name: `${name} : BullMQ on Redis`,
    concurrency: AT_ONCE,
    ratio,
    cpu,
    figures: `${perSecond(0)} : ${perSecond(1)}`,
    bars: [atLeast('ratio', ratio.median, bar)],
  };
}

async function beside(bench: Bench): Promise<Measurement[]> {
  const redis = await redisForComparison();
  if (redis === undefined) return [];
  const ours = await openOurs(bench.library, bench.server);
  const theirs = openTheirs(redis);
  try {
    const sides = [ours, theirs] as const;
    const bulk: Adding = (side, count) => side.addBulk(count);
    return [
      await endToEnd(bench, sides, 'added one by one, handled, acknowledged', singly, 1.2),
      await endToEnd(bench, sides, 'added in bulk, handled, acknowledged', bulk, 2),
    ];
  } finally {
    await theirs.close();
    await ours.close();
    await redis.stop();
  }
}

async function run(bench: Bench): Promise<Measurement[]> {
  return [
    ...(await beside(bench)),
    ...(await measureLatency(bench)),
    ...(await measureBacklog(bench)),
  ];
}

export const queuePart: Part = {
  name: 'queue',
  summary:
    'messages from producer to acknowledgement, beside BullMQ; latency; a backlog of a million',
  run,
};
