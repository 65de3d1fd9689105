import { medianOf, spreadOf, type Spread } from './spread';

/** One of the ways of doing the same that are compared. */
export interface Variant {
  readonly name: string;
  /** Done over and over by each of the concurrent workers. */
  readonly operation: () => Promise<unknown>;
  /** How many operations one call stands for. @default 1 */
  readonly weight?: number;
}

/** Variants measured side by side: per block one number each, in the order of the variants. */
export interface Comparison {
  readonly variants: readonly Variant[];
  readonly blocks: readonly (readonly Effort[])[];
}

/** What was done in some time. */
interface Effort {
  operations: number;
  milliseconds: number;
  cpuMicros: number;
}

/** Longer slices give wider spreads on a shared machine: its load changes within them. */
const SLICE = 30;
const SLICES_PER_BLOCK = 5;
const WARM_UP_ROUNDS = 20;

async function slice({ operation, weight = 1 }: Variant, concurrency: number): Promise<Effort> {
  let operations = 0;
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const until = begun + SLICE;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      await operation();
      operations += weight;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { operations, milliseconds: performance.now() - begun, cpuMicros: user + system };
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

async function block(variants: readonly Variant[], concurrency: number): Promise<Effort[]> {
  const efforts = variants.map(() => ({ operations: 0, milliseconds: 0, cpuMicros: 0 }));
  for (let round = 0; round < SLICES_PER_BLOCK; round++) {
    for (const at of shuffled([...variants.keys()])) {
      const done = await slice(variants[at]!, concurrency);
      const effort = efforts[at]!;
      effort.operations += done.operations;
      effort.milliseconds += done.milliseconds;
      effort.cpuMicros += done.cpuMicros;
    }
  }
  return efforts;
}

/**
 * Measures variants by turns, in slices too short for the machine's load to change much, in an
 * order that is new each time. Only what one block's numbers come to against each other counts.
 */
export async function compare(
  variants: readonly Variant[],
  concurrency: number,
  blocks: number,
): Promise<Comparison> {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const variant of shuffled(variants)) await slice(variant, concurrency);
  }
  const measured: Effort[][] = [];
  for (let count = 0; count < blocks; count++) measured.push(await block(variants, concurrency));
  return { variants, blocks: measured };
}

const speed = ({ operations, milliseconds }: Effort): number => operations / milliseconds;
const cost = ({ operations, cpuMicros }: Effort): number => cpuMicros / operations;

function ratios(
  { blocks }: Comparison,
  one: number,
  base: number,
  of: (effort: Effort) => number,
): Spread {
  return spreadOf(blocks.map((efforts) => of(efforts[one]!) / of(efforts[base]!)));
}

/** Throughput of variant `one` by that of variant `base`. */
export function speedRatio(comparison: Comparison, one: number, base: number): Spread {
  return ratios(comparison, one, base, speed);
}

/** CPU time of this process per operation of variant `one` by that of variant `base`. */
export function cpuRatio(comparison: Comparison, one: number, base: number): Spread {
  return ratios(comparison, one, base, cost);
}

/** Operations per second, median. */
export function operationsPerSecond({ blocks }: Comparison, at: number): number {
  return medianOf(blocks.map((efforts) => speed(efforts[at]!) * 1000));
}

/** CPU time of this process per operation in µs, median. */
export function cpuPerOperation({ blocks }: Comparison, at: number): number {
  return medianOf(blocks.map((efforts) => cost(efforts[at]!)));
}
