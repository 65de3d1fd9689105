import { medianOf, spreadOf, type Spread } from './spread';

/** One of the ways of doing the same that are compared. */
export interface Variant {
  /** Done over and over by each of the concurrent workers. */
  readonly operation: () => Promise<unknown>;
  /** How many operations one call stands for. @default 1 */
  readonly weight?: number;
}

/** Variants measured side by side: per block one effort each, in the order of the variants. */
export interface Comparison {
  readonly blocks: readonly (readonly Effort[])[];
}

/** Variants that are ready to run. */
export interface Field {
  readonly variants: readonly Variant[];
  close(): Promise<unknown>;
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
/** Until code is compiled; later blocks only have to prepare their statements. */
const FIRST_WARM_UP = 20;
const WARM_UP = 2;

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

async function onField(field: Field, concurrency: number, warmUp: number): Promise<Effort[]> {
  try {
    for (let round = 0; round < warmUp; round++) {
      for (const variant of shuffled(field.variants)) await slice(variant, concurrency);
    }
    return await block(field.variants, concurrency);
  } finally {
    await field.close();
  }
}

/**
 * Measures variants by turns, in slices too short for the machine's load to change much, in an
 * order that is new each time. Only what one block's numbers come to against each other counts.
 *
 * Each block opens its pools anew: which processor core serves a connection is decided once for that
 * connection, and at concurrency 1 that alone makes one of two equal pools up to three times as fast.
 */
export async function compare(
  open: () => Promise<Field>,
  concurrency: number,
  blocks: number,
): Promise<Comparison> {
  const measured: Effort[][] = [];
  for (let count = 0; count < blocks; count++) {
    const warmUp = count === 0 ? FIRST_WARM_UP : WARM_UP;
    measured.push(await onField(await open(), concurrency, warmUp));
  }
  return { blocks: measured };
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
