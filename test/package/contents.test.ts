import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packedProject, root, run, runNode, tool, type PackedProject } from './packed-project';

let project: PackedProject;

beforeAll(async () => {
  project = await packedProject();
});

afterAll(() => {
  project.remove();
});

/** Paths of all files of the package, relative to its root, with forward slashes. */
function files(): string[] {
  return readdirSync(project.package, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(project.package.length + 1))
    .map((file) => file.replaceAll('\\', '/'));
}

function read(file: string): string {
  return readFileSync(join(project.package, file), 'utf8');
}

function specifiers(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport\(|\bimport|\brequire\()\s*['"]([^'"]+)['"]/g)].map(
    ([, specifier = '']) => specifier,
  );
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly exports: Record<string, unknown>;
}

describe('the packed package', () => {
  test('holds only what users need', () => {
    const odd = files().filter(
      (file) => !/^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.*)$/.test(file),
    );
    expect(odd).toEqual([]);
    expect(files()).toEqual(expect.arrayContaining(['package.json', 'LICENSE']));
  });

  test('names no folder of the machine it was built on', () => {
    const leaks = files().filter((file) => read(file).includes(root));
    expect(leaks).toEqual([]);
  });

  test('has types that refer only to its own files, to Node and to its dependencies', () => {
    const { dependencies, peerDependencies } = JSON.parse(read('package.json')) as Manifest;
    const known = Object.keys({ ...dependencies, ...peerDependencies });
    const foreign = files()
      .filter((file) => /\.d\.[cm]?ts$/.test(file))
      .flatMap((file) => specifiers(read(file)).map((specifier) => `${file}: ${specifier}`))
      .filter((line) => {
        const specifier = line.slice(line.indexOf(': ') + 2);
        const owned = known.some((name) => specifier === name || specifier.startsWith(`${name}/`));
        return !owned && !specifier.startsWith('.') && !specifier.startsWith('node:');
      });
    expect(foreign).toEqual([]);
  });

  test('carries the licence of each package that is inlined, and no other', () => {
    const map = JSON.parse(read('dist/index.cjs.map')) as { sources: string[] };
    const inlined = map.sources
      .map((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1])
      .filter((name) => name !== undefined);
    const notices = read('dist/THIRD-PARTY-LICENSES.txt');
    const named = [...notices.matchAll(/^(\S+) \d+\.\d+\.\d+\S* \(/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual([...new Set(inlined)].sort());
  });

  test('exports every entry the build knows', () => {
    const { exports } = JSON.parse(read('package.json')) as Manifest;
    const built = files()
      .map((file) => /^dist\/([^/]+)\.mjs$/.exec(file)?.[1])
      .filter((name) => name !== undefined)
      .map((name) => (name === 'index' ? '.' : `./${name}`));
    expect(Object.keys(exports).sort()).toEqual([...built, './package.json'].sort());
  });

  test('resolves for Node and bundlers, with types that match the code (attw)', async () => {
    const args = [project.tarball, '--profile=node16', '--no-color', '--no-emoji'];
    await runNode([tool('@arethetypeswrong/cli/dist/index.js'), ...args], project.folder);
  });

  test('has a package.json that publint has nothing to say about', async () => {
    const args = [tool('publint/src/cli.js'), project.tarball, '--strict'];
    const { code, stdout, stderr } = await run(process.execPath, args, project.folder);
    expect({ code, output: stdout + stderr }).toEqual({
      code: 0,
      output: expect.stringContaining('All good!'),
    });
  });
});
