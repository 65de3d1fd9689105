'use strict';

/**
 * The layers of src/, lowest first: a file may import only from rows above its own.
 * Entries of one row are siblings. Where `peers` is set they may import each other (the ground: options
 * needs errors); everywhere else they are strangers. Files of one folder always may import each other.
 *
 * An entry that ends with '.ts' is a file right in src/, any other is a folder.
 *
 * @type {ReadonlyArray<{ entries: readonly string[], peers?: boolean }>}
 */
const layers = [
  {
    entries: [
      'errors.ts',
      'options.ts',
      'option-rules.ts',
      'driver-options.ts',
      'connection-url.ts',
      'logger.ts',
      'clock.ts',
      'async-context.ts',
      'abort-listeners.ts',
      'limit.ts',
      'batcher.ts',
      'periodic.ts',
    ],
    peers: true,
  },
  { entries: ['driver'] },
  { entries: ['metrics'] },
  { entries: ['pool'] },
  { entries: ['scope'] },
  { entries: ['retry'] },
  { entries: ['transaction'] },
  { entries: ['decorators'] },
  { entries: ['pooled-database.ts'] },
  { entries: ['database.ts'] },
  { entries: ['schema', 'values'] },
  { entries: ['lock', 'store', 'cache', 'queue'] },
  { entries: ['install.ts'] },
  { entries: ['internals.ts'] },
  { entries: ['tenants'] },
  { entries: ['monitor'] },
  { entries: ['adapters'] },
  { entries: ['cli', 'index.ts'] },
];

/** Packages with one importer each: who may import them, as a pattern over paths relative to src/. */
const owners = [
  { module: 'mysql2', owner: /^driver\/mysql2-[^/]+\.ts$/, where: 'src/driver/mysql2-*.ts' },
  {
    module: 'named-placeholders',
    owner: /^driver\/named-placeholders\.ts$/,
    where: 'src/driver/named-placeholders.ts',
  },
  { module: 'p-retry', owner: /^retry\/[^/]+\.ts$/, where: 'one file of src/retry/' },
  { module: 'async_hooks', owner: /^async-context\.ts$/, where: 'src/async-context.ts' },
  { module: 'pino', owner: /^logger\.ts$/, where: 'src/logger.ts' },
  { module: 'prom-client', owner: /^monitor\/[^/]+\.ts$/, where: 'src/monitor/' },
  {
    module: '@opentelemetry/api',
    owner: /^monitor\/open-telemetry\.ts$/,
    where: 'src/monitor/open-telemetry.ts',
  },
];

module.exports = { layers, owners };
