/**
 * What the package exports, one row per entry; package.json `exports` has the same rows.
 * 'index' is the main entry and comes first: the others are built on top of it.
 */
export const entries = [
  { name: 'index', source: 'src/index.ts' },
  { name: 'mysql2', source: 'src/adapters/mysql2/index.ts' },
  { name: 'keyv', source: 'src/adapters/keyv/index.ts' },
  { name: 'session', source: 'src/adapters/session/index.ts' },
  { name: 'monitor', source: 'src/monitor/index.ts' },
];

/** Commands of the package, one row per entry of `bin`; built on the main entry like the others, and exported by none. */
export const programs = [{ name: 'cli', source: 'src/cli/main.ts' }];

/** ES module packages that a CommonJS package cannot require on every Node 20, and so carries along. */
export const inlined = ['p-retry', 'is-network-error'];
