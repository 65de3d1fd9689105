import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { importDirection } from '../../scripts/lint/import-direction.cjs';
import { layers, owners } from '../../scripts/lint/layers.cjs';

const root = resolve(__dirname, '../..');

/** Messages of the rule for one source text, as if it stood in that file of src/. */
function lint(file: string, code: string): string[] {
  const linter = new Linter({ cwd: root });
  const config = {
    files: ['**/*.ts'],
    plugins: { boomerang: { rules: { 'import-direction': importDirection } } },
    rules: { 'boomerang/import-direction': 'error' as const },
    languageOptions: { parser },
  };
  const messages = linter.verify(code, [config], { filename: join(root, 'src', file) });
  return messages.map(({ message }) => message);
}

/** Path of some file of an entry of the table, and how a file of another folder would import it. */
function sample(entry: string): { file: string; specifier: string } {
  if (entry.endsWith('.ts')) return { file: entry, specifier: `../${entry.slice(0, -3)}` };
  return { file: `${entry}/some-file.ts`, specifier: `../${entry}/other-file` };
}

/** The same specifier, seen from a file right in src/. */
function specifierFor(from: string, to: string): string {
  const { specifier } = sample(to);
  return from.endsWith('.ts') ? specifier.replace(/^\.\.\//, './') : specifier;
}

const entries = layers.flatMap(({ entries: names, peers }, row) =>
  names.map((name) => ({ name, row, peers: peers === true })),
);

const pairs = entries.flatMap((from) =>
  entries
    .filter((to) => to.name !== from.name)
    .map((to) => ({
      from: from.name,
      to: to.name,
      allowed: from.row > to.row || (from.row === to.row && from.peers),
    })),
);

describe('import direction', () => {
  test('of any two entries the upper one may import the lower one, and never the other way', () => {
    const wrong = pairs.filter(({ from, to, allowed }) => {
      const code = `import { x } from '${specifierFor(from, to)}'; x();`;
      return (lint(sample(from).file, code).length === 0) !== allowed;
    });
    expect(wrong).toEqual([]);
  }, 120_000);

  test('the siblings lock, store, cache and queue never import each other', () => {
    const siblings = ['lock', 'store', 'cache', 'queue'];
    const allowed = pairs.filter(
      (pair) => siblings.includes(pair.from) && siblings.includes(pair.to) && pair.allowed,
    );
    expect(allowed).toEqual([]);
  });

  test.each([
    ['a type-only import', `import type { Pool } from '../pool/pool';`],
    ['an inline type', `type T = import('../pool/pool').Pool;`],
    ['a re-export', `export { Pool } from '../pool/pool';`],
    ['a re-export of everything', `export * from '../pool/pool';`],
    ['a dynamic import', `void import('../pool/pool');`],
    ['require', `require('../pool/pool');`],
    ['import = require', `import pool = require('../pool/pool');`],
    ['a folder', `import { Pool } from '../pool';`],
    ['a detour', `import { Pool } from '../driver/../pool/pool';`],
    ['an extension', `import { Pool } from '../pool/pool.js';`],
  ])('%s counts as an import', (_form, code) => {
    expect(lint('driver/some-file.ts', code)).toEqual([
      "'driver' must not import from 'pool': imports only point to lower layers.",
    ]);
  });

  test('the index file is the roof, however it is named', () => {
    for (const specifier of ['..', '../', '../index', '../index.js']) {
      expect(lint('pool/pool.ts', `import { x } from '${specifier}';`)).toEqual([
        "'pool' must not import from 'index.ts': imports only point to lower layers.",
      ]);
    }
  });

  test('files of one folder import each other, also from its subfolders', () => {
    expect(lint('pool/pool.ts', `import { Entry } from './entry';`)).toEqual([]);
    expect(lint('pool/inner/list.ts', `import { Entry } from '../entry';`)).toEqual([]);
  });

  test('a folder without a row in the table is refused', () => {
    expect(lint('novelty/file.ts', `import { x } from '../errors';`)).toEqual([
      "'novelty' has no row in scripts/lint/layers.cjs: give it one.",
    ]);
  });

  test('src imports nothing that the package would not contain', () => {
    expect(lint('pool/pool.ts', `import { x } from '../../test/support/clock';`)).toEqual([
      "'../../test/support/clock' lies outside of src/: the package would not contain it.",
    ]);
  });
});

describe('owners of packages', () => {
  test.each([
    ['mysql2', 'driver/mysql2-driver.ts', 'driver/classify.ts'],
    ['mysql2/promise', 'driver/mysql2-driver.ts', 'pool/pool.ts'],
    ['p-retry', 'retry/retry.ts', 'pool/connector.ts'],
    ['node:async_hooks', 'async-context.ts', 'scope/scope.ts'],
    ['async_hooks', 'async-context.ts', 'scope/scope.ts'],
    ['pino', 'logger.ts', 'options.ts'],
  ])('%s is imported by %s and not by %s', (specifier, owner, stranger) => {
    const code = `import type { x } from '${specifier}';`;
    expect(lint(owner, code)).toEqual([]);
    expect(lint(stranger, code)).toEqual([expect.stringContaining('may be imported only by')]);
  });

  test('a package whose name merely begins alike is free', () => {
    expect(lint('pool/pool.ts', `import x from 'pino-pretty';`)).toEqual([]);
  });

  test('p-retry has one importer', () => {
    const folder = join(root, 'src/retry');
    const importers = readdirSync(folder).filter((file) =>
      readFileSync(join(folder, file), 'utf8').includes(`'p-retry'`),
    );
    expect(importers.length).toBeLessThanOrEqual(1);
    expect(owners.map(({ module }) => module)).toContain('p-retry');
  });
});
