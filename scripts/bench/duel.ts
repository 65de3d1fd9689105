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

/** Ours against bases, under one name and concurrency. */
export interface Duel {
  readonly part: string;
  readonly concurrency: number;
  readonly ours: Variant;
  readonly bases: readonly Base[];
}

/** A variant to be measured against, and the bars of doing so. */
export interface Base extends Variant {
  /** The least that our throughput has to be of this one's. */
  readonly speed?: number;
  /** The most that our CPU time per operation may be of this one's. */
  readonly cpu?: number;
}

function figures(comparison: Comparison, base: number): string {
  const side = (at: number): string =>
    `${shortened(operationsPerSecond(comparison, at))}/s ${cpuPerOperation(comparison, at).toFixed(1)} µs`;
  return `${side(0)} : ${side(base)}`;
}

function shortened(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M`;
  return `${(perSecond / 1e3).toFixed(1)} k`;
}

/** Measures all sides together and gives one row per base. */
export async function fight(duel: Duel, blocks: number): Promise<Measurement[]> {
  const { part, concurrency, ours, bases } = duel;
  const comparison = await compare([ours, ...bases], concurrency, blocks);
  return bases.map((base, index) => {
    const ratio = speedRatio(comparison, 0, index + 1);
    const cpu = cpuRatio(comparison, 0, index + 1);
    const bars: Bar[] = [];
    if (base.speed !== undefined) bars.push(atLeast('ratio', ratio.median, base.speed));
    if (base.cpu !== undefined) bars.push(atMost('CPU', cpu.median, base.cpu));
    const name = `${ours.name} : ${base.name}`;
    return { part, name, concurrency, ratio, cpu, figures: figures(comparison, index + 1), bars };
  });
}
