/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import { join } from 'node:path';

/** Tests of the packed tarball; they need dist/, so `npm test` runs them as a stage of their own. */
const config: Config = {
  displayName: 'package',
  rootDir: __dirname,
  testEnvironment: 'node',
  testMatch: ['<rootDir>/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/consumer/'],
  transform: { '\\.ts$': ['ts-jest', { tsconfig: join(__dirname, '../../tsconfig.json') }] },
  maxWorkers: 2,
  testTimeout: 120_000,
};

export default config;
