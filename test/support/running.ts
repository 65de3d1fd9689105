import type { Workbench } from './servers';

/** How many statements with this text run on the server right now, in the workbench's database. */
export async function running(bench: Workbench, text: string): Promise<number> {
  const processes = await bench.processes();
  return processes.filter(({ statement }) => statement?.includes(text)).length;
}

/** How long it takes, in ms. */
export async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
