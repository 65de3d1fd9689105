/**
 * The size of a proof: the short form that `npm test` runs, or what `npm run test:long` has left in
 * the environment (see scripts/test-long.mjs).
 */
export function longForm<T>(variable: string, short: T): T {
  const given = process.env[variable];
  return given === undefined ? short : (JSON.parse(given) as T);
}
