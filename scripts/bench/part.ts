import type * as LibraryModule from '../../src/index';
import type { ServerHandle } from '../server';
import type { Measurement } from './result';

export type Library = typeof LibraryModule;
export type BenchServer = ServerHandle;

/** What a part has to work with. */
export interface Bench {
  readonly library: Library;
  readonly server: BenchServer;
  /** Blocks of slices, or repetitions where there are no slices. */
  readonly blocks: number;
  /** How many statements the part `million` runs. */
  readonly statements: number;
}

/** One thing that is measured, with rows of its own in the table. */
export interface Part {
  readonly name: string;
  readonly summary: string;
  run(bench: Bench): Promise<Measurement[]>;
}
