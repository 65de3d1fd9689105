/**
 * `npm test`: everything that has to hold before a change is good, from a fresh clone on.
 * `npm test -- <Jest arguments>` runs only Jest, with these arguments.
 *
 * Stops at the first row of stages in which one fails. Once Jest has run, the last line is the number of tests.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, ensureInstalled, runNode } from './bootstrap.mjs';

const programs = {
  tsc: 'node_modules/typescript/bin/tsc',
  eslint: 'node_modules/eslint/bin/eslint.js',
  prettier: 'node_modules/prettier/bin/prettier.cjs',
  jest: 'node_modules/jest/bin/jest.js',
};

const counts = { passed: 0, failed: 0, skipped: 0, ran: false };

/** Adds Jest's own numbers and returns how many failed. A file that could not even be loaded counts as one failure. */
function addCounts(file) {
  const results = JSON.parse(readFileSync(file, 'utf8'));
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  counts.ran = true;
  counts.passed += results.numPassedTests;
  counts.failed += failed;
  counts.skipped += results.numPendingTests + results.numTodoTests;
  return failed;
}

/** Runs Jest and adds what it counted; a watching or listing Jest writes no results, which is fine. */
async function jest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'boomerang-test-'));
  const results = join(folder, 'results.json');
  try {
    const { code } = await runNode(programs.jest, ['--json', `--outputFile=${results}`, ...args]);
    try {
      const failed = addCounts(results);
      if (code !== 0 && failed === 0)
        console.log('Jest failed for another reason than a test, above');
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs one of `programs` and resolves to its exit code. */
const tool = async (name, ...args) => (await runNode(programs[name], args)).code;

/** Those of a row have nothing to do with each other and run side by side. */
const stages = [
  [['build', async () => (await runNode('scripts/build.mjs', [])).code]],
  [
    ['lint', () => tool('eslint', '.', '--max-warnings=0')],
    ['format', () => tool('prettier', '--check', '--log-level=warn', '.')],
    ['types', () => tool('tsc', '-p', 'tsconfig.json')],
    ['types, legacy decorators', () => tool('tsc', '-p', 'tsconfig.legacy.json')],
  ],
  [['tests', () => jest([])]],
  [['package', () => jest(['--config=test/package/jest.config.ts'])]],
];

async function runStage([name, work]) {
  console.log(`\n--- ${name}`);
  const start = Date.now();
  const code = await work();
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`--- ${name}: ${code === 0 ? 'ok' : 'FAILED'} in ${seconds} s`);
  return code;
}

/** A line of its own, in a form that CI services look for. */
function printCounts() {
  if (!counts.ran) return;
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`);
}

async function main(args) {
  await ensureInstalled();
  if (args.length > 0) {
    const code = await jest(args);
    printCounts();
    return code;
  }
  const start = Date.now();
  for (const row of stages) {
    const codes = await Promise.all(row.map(runStage));
    const failed = row.filter((_, at) => codes[at] !== 0).map(([name]) => name);
    if (failed.length > 0) {
      console.log(`\nnpm test failed in stage: ${failed.join(', ')}`);
      printCounts();
      return codes.find((code) => code !== 0);
    }
  }
  console.log(`\nall stages ok in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  printCounts();
  return 0;
}

await command(main);
