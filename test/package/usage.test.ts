import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packedProject, runNode, tool, type PackedProject } from './packed-project';

/** What index.ts has to offer at least; a name that is missing here would be missing for users. */
const promised = [
  'RetryingPooledDatabase',
  'auditReleases',
  'connectionScope',
  'releaseConnection',
];

let project: PackedProject;

beforeAll(async () => {
  project = await packedProject();
  // the same source twice: TypeScript takes .ts as CommonJS here and .mts as an ES module
  for (const name of ['repository', 'operator']) {
    copyFileSync(join(project.folder, `${name}.ts`), join(project.folder, `${name}.mts`));
  }
  writeFileSync(join(project.folder, 'package.json'), '{ "type": "commonjs", "private": true }');
});

afterAll(() => {
  project.remove();
});

describe('the packed package', () => {
  test('is usable by require', async () => {
    const seen = JSON.parse(await runNode(['use.cjs'], project.folder)) as unknown;
    expect(seen).toEqual({
      names: expect.arrayContaining(promised),
      unreleased: ['find'],
      scope: 42,
      pool: ['function', 'function'],
      oneCopy: true,
    });
  });

  test('is usable by import, and both ways lead to the very same classes and state', async () => {
    const seen = JSON.parse(await runNode(['use.mjs'], project.folder)) as unknown;
    expect(seen).toEqual({
      names: expect.arrayContaining(promised),
      unreleased: ['find'],
      scope: 42,
      pool: ['function', 'function'],
      oneCopy: true,
      different: [],
    });
  });

  test('offers the same names by require and by import', async () => {
    const [required, imported] = await Promise.all(
      ['use.cjs', 'use.mjs'].map(async (file) => {
        return (JSON.parse(await runNode([file], project.folder)) as { names: string[] }).names;
      }),
    );
    expect(imported).toEqual(required);
  });

  test('its further entries are usable both ways, and hold no second copy of the main one', async () => {
    const program = `
      const { Cache, RetryingPooledDatabase } = require('mysql-boomerang');
      const db = new RetryingPooledDatabase({ host: 'localhost' });
      const { KeyvBoomerang } = require('mysql-boomerang/keyv');
      const { SessionStore } = require('mysql-boomerang/session');
      Promise.all([import('mysql-boomerang/keyv'), import('mysql-boomerang/session')]).then(([keyv, session]) => {
        const same = keyv.KeyvBoomerang === KeyvBoomerang && session.SessionStore === SessionStore;
        console.log(same, new KeyvBoomerang(db).cache instanceof Cache, typeof new SessionStore(db).touch);
      });`;
    const said = await runNode(['-e', program], project.folder);
    expect(said.trim()).toBe('true true function');
  });

  test('has a monitor that shares the main entry’s classes, and whose packages the main entry loads not', async () => {
    const seen = JSON.parse(await runNode(['monitor.cjs'], project.folder)) as unknown;
    expect(seen).toEqual({
      page: true,
      metrics: true,
      sameClasses: [true, true],
      sameCopy: true,
      mainLoadsPrometheus: false,
    });
  });

  test('has the same monitor by require and by import', async () => {
    const seen = JSON.parse(await runNode(['monitor.mjs'], project.folder)) as unknown;
    expect(seen).toEqual({ names: ['monitor', 'openTelemetry'], different: [] });
  });

  test('loads in a CommonJS Jest that transforms nothing', async () => {
    const config = { testEnvironment: 'node', testMatch: ['**/*.test.cjs'], transform: {} };
    const args = [tool('jest/bin/jest.js'), '--ci', '--rootDir=.', '--config'];
    await runNode([...args, JSON.stringify(config)], project.folder);
  });

  test.each([
    ['node16', ['--module', 'node16']],
    ['nodenext', ['--module', 'nodenext']],
    ['bundler', ['--module', 'preserve', '--moduleResolution', 'bundler']],
    ['node16, legacy decorators', ['--module', 'node16', '--experimentalDecorators']],
  ])('type-checks without skipLibCheck: %s', async (_resolution, args) => {
    await runNode([tool('typescript/bin/tsc'), '-p', '.', ...args], project.folder);
  });
});
