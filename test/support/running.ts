import type { Workbench } from './servers';

/** How many statements with this text run on the server right now, in the workbench's database. */
export async function running(bench: Workbench, text: string): Promise<number> {
  const rows = await bench.sql(
    'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST ' +
      'WHERE DB = ? AND CAST(INFO AS BINARY) LIKE ? AND ID <> CONNECTION_ID()',
    // As bytes: what strangers run at the moment may have some that are no text.
    [bench.schema, Buffer.from(`%${text}%`)],
  );
  return Number(rows[0]?.['n']);
}

/** How long it takes, in ms. */
export async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
