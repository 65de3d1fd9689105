/** @jest-config-loader esbuild-register */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from 'jest';

type ProjectConfig = Exclude<NonNullable<Config['projects']>[number], string>;

/** Published as ES modules only, so Jest has to transform them although they are in node_modules. */
const esmOnly = ['p-retry', 'is-network-error'];

/** Reference to a support file, when it is there. */
function support(name: string): string[] {
  const file = join(__dirname, 'test', 'support', name);
  return existsSync(file) ? [file] : [];
}

const [globalSetup] = support('global-setup.ts');
const [globalTeardown] = support('global-teardown.ts');

function project(displayName: string, tsconfig: string, rest: ProjectConfig): ProjectConfig {
  return {
    displayName,
    rootDir: __dirname,
    testEnvironment: 'node',
    transform: {
      '\\.ts$': ['ts-jest', { tsconfig: join(__dirname, tsconfig) }],
      '\\.m?js$': join(__dirname, 'scripts/jest/esm-to-cjs.cjs'),
    },
    transformIgnorePatterns: [`/node_modules/(?!(?:${esmOnly.join('|')})/)`],
    modulePathIgnorePatterns: ['<rootDir>/dist/'],
    ...(globalSetup === undefined ? {} : { globalSetup }),
    ...(globalTeardown === undefined ? {} : { globalTeardown }),
    ...rest,
  };
}

const config: Config = {
  maxWorkers: 2,
  // A rejection nobody handles fails its test. Waiting a turn after each test puts the blame on the right
  // one; without that a rejection in the last line of a file ends the whole run without a summary.
  waitForUnhandledRejections: true,
  testTimeout: 60_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts', '!src/index.ts'],
  coverageThreshold: { global: { lines: 85, branches: 80 } },
  projects: [
    project('standard', 'tsconfig.json', {
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: [
        '/node_modules/',
        '<rootDir>/test/legacy/',
        '<rootDir>/test/package/',
      ],
    }),
    project('legacy', 'tsconfig.legacy.json', {
      testMatch: ['<rootDir>/test/decorators/**/*.test.ts', '<rootDir>/test/legacy/**/*.test.ts'],
    }),
  ],
};

export default config;
