import { createRequire } from 'node:module';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const require = createRequire(import.meta.url);
const { importDirection } = require('./scripts/lint/import-direction.cjs');

/** A member called with `private`, where `#name` is really private and cannot be forgotten in a type. */
const privateKeyword = {
  selector:
    ':matches(PropertyDefinition, MethodDefinition, TSParameterProperty)[accessibility="private"]:not([kind="constructor"])',
  message: 'Use a #private name.',
};

const defaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Use a named export: the name is then the same everywhere.',
};

/** `toEqual` takes a list for one that is shorter by its undefined values. */
const undefinedInToEqual = {
  selector:
    'CallExpression[callee.property.name="toEqual"] > ArrayExpression:has(Identifier[name="undefined"])',
  message: 'Use toStrictEqual: to toEqual an undefined value is none.',
};

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'test/package/consumer/']),
  {
    rules: {
      'max-lines': ['error', { max: 350, skipBlankLines: false, skipComments: false }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.{mjs,cjs}'],
    rules: { 'no-unused-vars': 'error', 'prefer-const': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      // `${count}` is clear enough
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // what was caught is passed on as it is
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // a seam's fake and an interface's trivial case are async without awaiting
      '@typescript-eslint/require-await': 'off',
      // `void` in a union or a type argument describes handlers that may or may not return a promise
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // an accessor pair or a namespace of functions may well be a class
      '@typescript-eslint/no-extraneous-class': 'off',
      // guards at the border of the package stand also where the types exclude the case
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { boomerang: { rules: { 'import-direction': importDirection } } },
    rules: {
      'boomerang/import-direction': 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', privateKeyword, defaultExport],
    },
  },
  {
    // a command-line tool speaks on the console
    files: ['src/cli/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // tests poke: rows of any shape, methods without their object, promises left pending on purpose
    files: ['test/**/*.ts', 'scripts/**/*.ts', 'jest.config.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      'no-restricted-syntax': ['error', undefinedInToEqual],
    },
  },
  {
    // compiled and never run: declarations stand there only to be judged by the compiler
    files: ['test/types/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-vars': 'off',
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-floating-promises': 'off',
    },
  },
);
