import { COMMANDS } from '../../src/cli/command-list';
import { table, wrap } from '../../src/cli/layout';
import { nearest } from '../../src/cli/nearest';
import { processTerminal } from '../../src/cli/terminal';
import { bytes, counted, duration, printable } from '../../src/cli/units';
import { call } from '../support/cli';

const SECRET = 'mysql://root:hunter2@db.example/app';

describe('help', () => {
  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s: usage, every option, exit codes and an example, by three ways to ask',
    async (name, command) => {
      const words = name.split(' ');
      const { code, stdout } = await call([...words, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: mysql-boomerang ${name}`));
      for (const option of Object.keys(command.options)) expect(stdout).toContain(`--${option}`);
      for (const option of ['--url', '--prefix', '--json', '--timeout', '--help']) {
        expect(stdout).toContain(option);
      }
      for (const code of [0, 1, 2, 3]) expect(stdout).toMatch(new RegExp(`^  ${code}  \\S`, 'm'));
      expect(stdout).toMatch(new RegExp(`Examples?\n {2}mysql-boomerang ${name}`));
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
      expect((await call(['help', ...words])).stdout).toBe(stdout);
      expect((await call([...words, '-h'])).stdout).toBe(stdout);
    },
  );

  it('alone it lists every command; without one that is wrong usage', async () => {
    const asked = await call(['--help']);
    for (const { name } of COMMANDS) expect(asked.stdout).toContain(`\n  ${name}`);
    expect(asked.code).toBe(0);
    expect(await call([])).toMatchObject({ code: 2, stdout: asked.stdout });
  });

  it('of a group it lists its commands', async () => {
    const { stdout } = await call(['locks', '--help']);
    expect(stdout).toMatch(/locks ls[^]*locks release/);
    expect(stdout).not.toContain('kill-idle');
  });
});

describe('what is refused, with exit code 2 and a hint', () => {
  it.each([
    [['docter'], "no command 'docter'", 'did you mean doctor?'],
    [['lock', 'ls'], "no command 'lock'", 'did you mean locks?'],
    [['locks'], 'locks wants one of ls, release', ''],
    [['locks', 'list'], "locks has no command 'list'", 'there are ls, release'],
    [['locks', 'relaese', 'a'], "locks has no command 'relaese'", 'did you mean locks release?'],
    [['doctor', '--procs', '3'], 'doctor has no option --procs', ''],
    [['doctor', '--proceses=3'], 'doctor has no option --proceses', 'did you mean --processes?'],
    [['locks', 'ls', '--dry-run'], 'locks ls has no option --dry-run', ''],
    [['doctor', '--url'], "Option '--url <value>' argument missing", ''],
    [['doctor', '--json=yes'], "Option '--json' does not take an argument", ''],
    [['doctor', '--processes', '0'], '--processes must be a whole number, 1 or more', ''],
    [['kill-idle', '--older-than', '10'], 'a time with its unit', ''],
    [['status', '--watch', '--interval', '30d'], '--interval must be 100ms or more, and 1d', ''],
    [['kill-idle'], 'kill-idle wants --older-than', '--older-than 10m'],
    [['locks', 'release'], 'takes <name> …, got 0', ''],
    [['doctor'], 'no database is named', 'give --url or set DATABASE_URL'],
    [['doctor', '--prefix', 'a-b'], "Option 'prefix'", ''],
    [['doctor', '--url', 'postgres://x'], 'must begin with mysql:// or mariadb://', ''],
  ])('%j', async (args, text, hint) => {
    const { code, stdout, stderr } = await call(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(text);
    expect(stderr).toContain(hint);
  });

  it.each([
    [['doctor', SECRET]],
    [[SECRET]],
    [['locks', SECRET]],
    [['doctor', '--url', `${SECRET}?conectionLimit=3`]],
    [['doctor', '--url', 'mysql://root:hunter2#@db.example/app']],
    [['doctor', '--uri', SECRET]],
    [[`--uri=${SECRET}`, 'doctor']],
    [['doctor', '--prefix', SECRET]],
    [['kill-idle', '--older-than', SECRET]],
    [['doctor', `--url:${SECRET}`]],
    [['doctor', `--${SECRET}`]],
    [['doctor', `-u${SECRET}`]],
  ])('a URL in the wrong place is never quoted (%#)', async (args) => {
    for (const form of [args, [...args, '--json']]) {
      const { code, stdout, stderr } = await call(form, { url: 'mysql://127.0.0.1:1/x' });
      expect(code).toBe(2);
      expect(stdout + stderr).not.toMatch(/hunter2|db\.example/);
      expect((stdout + stderr).length).toBeGreaterThan(20);
    }
  });

  it('with --json an error is one document too', async () => {
    const { json, stderr } = await call(['docter', '--json']);
    expect(json).toEqual({
      error: {
        code: 'ERR_USAGE',
        message: "there is no command 'docter'",
        advice: 'did you mean doctor?',
      },
    });
    expect(stderr).toBe('');
  });
});

describe('words', () => {
  it.each([
    ['instal', 'install'],
    ['stauts', 'status'],
    ['kill', 'kill-idle'],
    ['doc', 'doctor'],
    ['xyz', undefined],
    ['', undefined],
  ])('nearest to %j is %j', (given, meant) => {
    expect(nearest(given, ['doctor', 'install', 'status', 'locks', 'kill-idle'])).toBe(meant);
  });

  it('durations, sizes and counts read well', () => {
    expect([0, 250, 1500, 65_000, 3_600_000, 90_061_000, -1500].map(duration)).toEqual([
      '0 ms',
      '250 ms',
      '1.5 s',
      '1 min 5 s',
      '1 h',
      '1 d 1 h',
      '-1.5 s',
    ]);
    expect([0, 1023, 1024, 1_572_864, 5e12].map(bytes)).toEqual([
      '0 B',
      '1023 B',
      '1 KiB',
      '1.5 MiB',
      '4.5 TiB',
    ]);
    expect([counted(1, 'lock'), counted(12_345, 'lock')]).toEqual(['1 lock', '12,345 locks']);
  });

  it('a name cannot steer the terminal, nor turn the text around', () => {
    expect(printable('a\x1b[2Jb\r\n\u202ec\u2028é日')).toBe(
      'a\\u{1b}[2Jb\\u{d}\\u{a}\\u{202e}c\\u{2028}é日',
    );
  });
});

describe('layout', () => {
  const plain = { paint: (text: string) => text };

  it('columns are as wide as their widest cell, numbers to the right', () => {
    const columns = [{ head: 'NAME' }, { head: 'ROWS', right: true }, { head: 'END' }];
    const rows = [
      ['a', '1', 'x'],
      ['longer', { text: '12,345', tone: 'good' as const }, ''],
    ];
    expect(table(plain, columns, rows)).toBe(
      'NAME      ROWS  END\n' + 'a            1  x\n' + 'longer  12,345\n',
    );
  });

  it('colours do not count as width', () => {
    const painted = { paint: (text: string) => `<${text}>` };
    const rows = [[{ text: 'a', tone: 'good' as const }, 'x']];
    expect(table(painted, [{ head: 'NAME' }, { head: 'B' }], rows)).toBe(
      '<NAME>  <B>\n<a   >  x\n',
    );
  });

  it('words are wrapped, and a longer one stands alone', () => {
    expect(wrap('one two three-and-more four', 9, 2)).toBe('one two\n  three-and-more\n  four');
  });
});

describe('colours', () => {
  const stream = (isTTY: boolean) =>
    ({ isTTY, columns: 80, hasColors: () => true, write: () => true }) as never;
  const painted = (isTTY: boolean, env: Record<string, string>): string => {
    const terminal = processTerminal({
      stdout: stream(isTTY),
      stderr: stream(isTTY),
      env,
    } as never);
    return terminal.paint('a', 'bad');
  };

  it('only on a terminal, and not with NO_COLOR', () => {
    expect(painted(true, {})).toBe('\x1b[31ma\x1b[0m');
    expect(painted(true, { NO_COLOR: '' })).toBe('\x1b[31ma\x1b[0m');
    expect(painted(true, { NO_COLOR: '1' })).toBe('a');
    expect(painted(false, {})).toBe('a');
  });
});
