import { parseArgs } from 'node:util';
import type { Part } from './part';
import { parts } from './parts';

export interface CommandLine {
  readonly parts: readonly Part[];
  readonly blocks: number;
  readonly statements: number;
  readonly json: string | undefined;
  /** A row of scripts/server/server-kinds.ts. */
  readonly server: string | undefined;
  /** Only say which parts there are. */
  readonly list: boolean;
}

/** A wrong word on the command line; its message is all there is to say. */
export class UsageError extends Error {}

export const usage = `npm run bench -- [part …] [options]

${parts.map(({ name, summary }) => `  ${name.padEnd(17)}${summary}`).join('\n')}

  --blocks N      blocks of slices per comparison (5)
  --statements N  statements of the part 'million' (1000000)
  --json FILE     writes all figures to a file
  --server KIND   a kind of scripts/server (the first that can be had, or DATABASE_URL)
  --list          prints this`;

function wholeNumber(option: string, given: string): number {
  const value = Number(given);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`--${option} must be a whole number above 0, got '${given}'`);
}

function partNamed(name: string): Part {
  const part = parts.find((one) => one.name === name);
  if (part !== undefined) return part;
  throw new UsageError(`there is no part '${name}'\n\n${usage}`);
}

/** @throws {UsageError} */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parsed(args);
  return {
    parts: positionals.length === 0 ? parts : positionals.map(partNamed),
    blocks: wholeNumber('blocks', values.blocks),
    statements: wholeNumber('statements', values.statements),
    json: values.json,
    server: values.server,
    list: values.list,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        blocks: { type: 'string', default: '5' },
        statements: { type: 'string', default: '1000000' },
        json: { type: 'string' },
        server: { type: 'string' },
        list: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
}
