import { chmodSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { provideServer, type ServerHandle } from '../../scripts/server';
import { packedProject, run, type Outcome, type PackedProject } from './packed-project';

let project: PackedProject;
let server: ServerHandle;

interface Manifest {
  readonly version: string;
  readonly bin: Record<string, string>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(project.package, 'package.json'), 'utf8')) as Manifest;
}

beforeAll(async () => {
  [project, server] = await Promise.all([packedProject(), provideServer()]);
  const home = join(project.folder, 'node_modules', '.bin');
  mkdirSync(home);
  // What npm does of `bin` when it installs a package.
  for (const [name, file] of Object.entries(manifest().bin)) {
    const program = join(project.package, file);
    chmodSync(program, 0o755);
    symlinkSync(relative(home, program), join(home, name));
  }
});

afterAll(async () => {
  project.remove();
  await server.stop();
});

/** As somebody types it who has installed the package. */
function npx(...args: readonly string[]): Promise<Outcome> {
  return run('npx', ['--no-install', 'mysql-boomerang', ...args], project.folder);
}

describe('the packed command line', () => {
  test('tells the version of the package', async () => {
    expect(await npx('--version')).toMatchObject({ code: 0, stdout: `${manifest().version}\n` });
  });

  test('looks at a real server, and writes one JSON document', async () => {
    const { code, stdout } = await npx('doctor', '--json', '--url', server.url);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      server: expect.stringMatching(/^(MariaDB|MySQL) \d/),
      summary: { problem: 0 },
    });
    expect(stdout).not.toContain(server.password);
  });

  test('ends with the code that its help promises', async () => {
    expect((await npx('doctor', '--nonsense')).code).toBe(2);
    expect((await npx('doctor', '--url', 'mysql://nobody@127.0.0.1:1/none')).code).toBe(3);
  });
});
