import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { provideServer, ServerUnavailableError } from '../../scripts/server';
import { findPathDaemon } from '../../scripts/server/path-daemon';
import { FakePrograms } from './support';

const MARIADB = 'echo "mysqld  Ver 10.11.6-MariaDB for debian-linux-gnu on x86_64 (Debian)"';
const MYSQL = 'echo "mysqld  Ver 9.7.4 for Linux on x86_64 (MySQL Community Server - GPL)"';

describe('the daemon on PATH', () => {
  let fakes: FakePrograms;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    fakes = new FakePrograms();
    env = { PATH: fakes.folder };
  });

  afterEach(() => fakes.remove());

  it('is none when there is none', async () => {
    expect(await findPathDaemon(env)).toBeUndefined();
  });

  it('is mariadbd before mysqld', async () => {
    fakes.add('mysqld', MYSQL).add('mariadbd', MARIADB);
    expect(await findPathDaemon(env)).toMatchObject({ flavour: 'mariadb', version: '10.11.6' });
  });

  it('has the flavour its --version says, not the one of its name', async () => {
    fakes.add('mysqld', MARIADB);
    expect(await findPathDaemon(env)).toMatchObject({ flavour: 'mariadb' });
    fakes.add('mysqld', MYSQL);
    expect(await findPathDaemon(env)).toMatchObject({ flavour: 'mysql', version: '9.7.4' });
  });

  it('is also found in the sbin beside a bin of PATH', async () => {
    mkdirSync(join(fakes.folder, 'sbin'));
    fakes.add('sbin/mariadbd', MARIADB);
    const found = await findPathDaemon({ PATH: join(fakes.folder, 'bin') });
    expect(found?.command).toBe(join(fakes.folder, 'sbin/mariadbd'));
  });
});

describe('provideServer()', () => {
  let fakes: FakePrograms;

  beforeEach(() => {
    fakes = new FakePrograms();
  });

  afterEach(() => fakes.remove());

  it('tries PATH, packages and Docker, then says in one sentence what to install', async () => {
    const lines: string[] = [];
    const asked = provideServer({
      env: { PATH: fakes.folder },
      log: (line) => lines.push(line),
    });
    await expect(asked).rejects.toThrow(ServerUnavailableError);
    await expect(asked).rejects.toThrow(
      /install MariaDB or MySQL .* or Docker, or set DATABASE_URL/,
    );
    expect(lines.map((line) => /^no server from (\w+): /.exec(line)?.[1])).toEqual([
      'path',
      'packages',
      'docker',
    ]);
  });

  it('goes on to the next way when the daemon on PATH does not work', async () => {
    fakes.add('mariadbd', 'exit 1');
    const asked = provideServer({ env: { PATH: fakes.folder } });
    await expect(asked).rejects.toThrow(/tried: path: Command failed.*; packages: .*; docker: /);
  });

  it('names the reason when a docker engine does not answer', async () => {
    fakes.add('docker', 'exit 1');
    const asked = provideServer({ kind: 'docker', env: { PATH: fakes.folder } });
    await expect(asked).rejects.toThrow('docker: no docker engine answers');
  });

  it('takes a Compose project down again when it could not come up', async () => {
    const calls = join(fakes.folder, 'calls');
    fakes.add(
      'docker',
      `echo "$@" >> '${calls}'; case "$*" in *' up '*) echo no image >&2; exit 1;; esac`,
    );
    const asked = provideServer({ kind: 'docker', env: { PATH: fakes.folder } });
    await expect(asked).rejects.toThrow(/no image/);
    const project = / -p (boomerang-\w+) /;
    const [up, down] = readFileSync(calls, 'utf8')
      .split('\n')
      .filter((call) => project.test(call));
    expect(up).toMatch(/ up -d mariadb$/);
    expect(down).toMatch(/ down -v$/);
    expect(project.exec(down ?? '')?.[1]).toBe(project.exec(up ?? '')?.[1]);
  });

  it('refuses a kind that is not in the table and names those that are', async () => {
    await expect(provideServer({ kind: 'oracle' })).rejects.toThrow(
      /no server kind 'oracle'; there are database-url, path, packages, mariadb-10\.11/,
    );
  });
});
