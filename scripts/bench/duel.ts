import { openContestants, type Contestants } from './contestants';
import type { Bench, BenchServer, Library } from './part';
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

/** The pools of one block. */
export interface Opened<Pools> {
  readonly pools: Pools;
  /** The same but for the first base's pool, which is a second one like it. */
  readonly control: Pools;
  close(): Promise<unknown>;
}

export type Opener<Pools> = (library: Library, server: BenchServer) => Promise<Opened<Pools>>;

/** One way of doing the same, on whichever pools a block has opened. */
interface Side<Pools> {
  readonly name: string;
  readonly operation: (pools: Pools) => Variant['operation'];
}

interface Ours<Pools> extends Side<Pools> {
  /** The least that we have to do per second, in millions. */
  readonly millions?: number;
}

/** A way to be measured against, and the bars of doing so. */
interface Base<Pools> extends Side<Pools> {
  /** The least that our throughput has to be of this one's. */
  readonly speed?: number;
  /** The most that our CPU time per operation may be of this one's. */
  readonly cpu?: number;
}

/** Ours against bases, at one concurrency. The first base is the one that has a control. */
export interface Duel<Pools = Contestants> {
  readonly part: string;
  readonly concurrency: number;
  readonly ours: Ours<Pools>;
  readonly bases: readonly [Base<Pools>, ...Base<Pools>[]];
  /** How many operations one call stands for. @default 1 */
  readonly weight?: number;
}

const OURS = 0;
const CONTROL = 1;
const FIRST_BASE = 2;
const MILLION = 1e6;

function figures(comparison: Comparison, base: number): string {
  const side = (at: number): string =>
    `${shortened(operationsPerSecond(comparison, at))}/s ${cpuPerOperation(comparison, at).toFixed(1)} µs`;
  return `${side(OURS)} : ${side(base)}`;
}

function shortened(perSecond: number): string {
  if (perSecond >= MILLION) return `${(perSecond / MILLION).toFixed(2)} M`;
  return `${(perSecond / 1e3).toFixed(1)} k`;
}

/** Measures all sides together, and the first base a second time as a control; one row per base. */
export async function fightOn<Pools>(
  opener: Opener<Pools>,
  duel: Duel<Pools>,
  { library, server, blocks }: Bench,
): Promise<Measurement[]> {
  const { part, concurrency, ours, bases, weight = 1 } = duel;
  const open = async () => {
    const { pools, control, close } = await opener(library, server);
    return {
      variants: [
        { operation: ours.operation(pools), weight },
        { operation: bases[0].operation(control), weight },
        ...bases.map(({ operation }) => ({ operation: operation(pools), weight })),
      ],
      close,
    };
  };
  const comparison = await compare(open, concurrency, blocks);
  const noise = speedRatio(comparison, CONTROL, FIRST_BASE);
  const millions = operationsPerSecond(comparison, OURS) / MILLION;
  return bases.map((base, index) => {
    const at = FIRST_BASE + index;
    const ratio = speedRatio(comparison, OURS, at);
    const cpu = cpuRatio(comparison, OURS, at);
    const bars: Bar[] = [];
    if (ours.millions !== undefined) bars.push(atLeast('M/s', millions, ours.millions));
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

/** On pools of ours and of the drivers. */
export function fight(duel: Duel, bench: Bench): Promise<Measurement[]> {
  return fightOn(openContestants, duel, bench);
}
