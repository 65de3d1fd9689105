import type { Command, CommandOptions } from './command';
import { EXITS } from './exit';
import { COMMON } from './given';
import { definitions, wrap } from './layout';
import type { Terminal } from './terminal';

const PROGRAM = 'mysql-boomerang';

const heading = ({ paint }: Terminal, text: string): string => `\n${paint(text, 'strong')}\n`;

function optionLines(options: CommandOptions): [string, string][] {
  return Object.entries(options).map(([name, option]) => {
    const { value, about, short, default: usual, multiple = false } = option;
    const begin = short === undefined ? '' : `-${short}, `;
    const more = multiple ? ' (may be repeated)' : '';
    return [
      `${begin}--${name}${value === undefined ? '' : ` ${value}`}`,
      `${about}${more}${usual === undefined ? '' : ` [${usual}]`}`,
    ];
  });
}

/** Everything there is to know of one command. */
export function commandHelp(command: Command, terminal: Terminal): string {
  const { name, summary, about, operands, options, exits, examples } = command;
  const { width } = terminal;
  const shown = operands === undefined ? '' : ` ${operands.shown}`;
  const usage = `Usage: ${PROGRAM} ${name}${shown} [options]\n`;
  const own = optionLines(options);
  const codes = Object.entries({ ...EXITS, ...exits });
  return (
    `${usage}\n${wrap(summary, width, 0)}\n` +
    about.map((text) => `\n${wrap(text, width, 0)}\n`).join('') +
    (own.length === 0 ? '' : heading(terminal, 'Options') + definitions(own, width)) +
    heading(terminal, 'Options of every command') +
    definitions(optionLines(COMMON), width) +
    heading(terminal, 'Exit codes') +
    definitions(codes, width) +
    heading(terminal, examples.length === 1 ? 'Example' : 'Examples') +
    examples.map((example) => `  ${PROGRAM} ${example}\n`).join('')
  );
}

/** What there is, all of it or one group. */
export function overview(commands: readonly Command[], terminal: Terminal): string {
  const { width } = terminal;
  return (
    `Usage: ${PROGRAM} <command> [options]\n\n` +
    `${wrap('Looks at, and looks after, a MySQL or MariaDB database and the tables of mysql-boomerang in it.', width, 0)}\n` +
    heading(terminal, 'Commands') +
    definitions(
      commands.map(({ name, operands, summary }) => [
        operands === undefined ? name : `${name} ${operands.shown}`,
        summary,
      ]),
      width,
    ) +
    heading(terminal, 'Options of every command') +
    definitions([...optionLines(COMMON), ['-V, --version', 'the version']], width) +
    heading(terminal, 'Exit codes') +
    definitions(Object.entries(EXITS), width) +
    `\n${PROGRAM} <command> --help says more of each.\n`
  );
}
