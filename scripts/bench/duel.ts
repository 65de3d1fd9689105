import { openContestants, type Contestants } from './contestants';
import type { Bench } from './part';
import { atLeast, atMost, type Bar, type Measurement } from './result';
import {
  compare,
  cpuPerOperation,
  cpuRatio,
  operationsPerSecond,
  speedRatio,
  type Comparison,
  type Variant,
} from './slices';

type Operation = (contestants: Contestants) => Variant['operation'];

/** One way of doing the same, on whichever pools a block has opened. */
interface Side {
  readonly name: string;
  readonly operation: Operation;
}

/** A way to be measured against, and the bars of doing so. */
interface Base extends Side {
  /** The least that our throughput has to be of this one's. */
  readonly speed?: number;
  /** The most that our CPU time per operation may be of this one's. */
  readonly cpu?: number;
}

/** Ours against bases, at one concurrency. The first base is on mysql2's pool. */
export interface Duel {
  readonly part: string;
  readonly concurrency: number;
  readonly ours: Side;
  readonly bases: readonly [Base, ...Base[]];
  /** How many operations one call stands for. @default 1 */
  readonly weight?: number;
}

const OURS = 0;
const CONTROL = 1;
const FIRST_BASE = 2;

function figures(comparison: Comparison, base: number): string {
  const side = (at: number): string =>
    `${shortened(operationsPerSecond(comparison, at))}/s ${cpuPerOperation(comparison, at).toFixed(1)} µs`;
  return `${side(OURS)} : ${side(base)}`;
}

function shortened(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M`;
  return `${(perSecond / 1e3).toFixed(1)} k`;
}

/** Measures all sides together, and the first base a second time as a control; one row per base. */
export async function fight(
  duel: Duel,
  { library, server, blocks }: Bench,
): Promise<Measurement[]> {
  const { part, concurrency, ours, bases, weight = 1 } = duel;
  const open = async () => {
    const contestants = await openContestants(library, server);
    const twins = { ...contestants, mysql2: contestants.mysql2Twin };
    return {
      variants: [
        { operation: ours.operation(contestants), weight },
        { operation: bases[0].operation(twins), weight },
        ...bases.map(({ operation }) => ({ operation: operation(contestants), weight })),
      ],
      close: contestants.end,
    };
  };
  const comparison = await compare(open, concurrency, blocks);
  const noise = speedRatio(comparison, CONTROL, FIRST_BASE);
  return bases.map((base, index) => {
    const at = FIRST_BASE + index;
    const ratio = speedRatio(comparison, OURS, at);
    const cpu = cpuRatio(comparison, OURS, at);
    const bars: Bar[] = [];
    if (base.speed !== undefined) bars.push(atLeast('ratio', ratio.median, base.speed));
    if (base.cpu !== undefined) bars.push(atMost('CPU', cpu.median, base.cpu));
    const name = `${ours.name} : ${base.name}`;
    return {
      part,
      name,
      concurrency,
      ratio,
      cpu,
      ...(index === 0 ? { noise } : {}),
      figures: figures(comparison, at),
      bars,
    };
  });
}
