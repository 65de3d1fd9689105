/**
 * Builds dist/: per row of `entries` one CommonJS bundle, an ES module face over it, and its types.
 *
 * There is one copy of the code, and with it of the state: `import` and `require` both end in the .cjs
 * file, and a subpath entry takes everything outside of its own folder from the main entry.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { entries, inlined, programs } from './build/entries.mjs';
import { inlinePage } from './build/inline-page.mjs';
import { mainEntryExternal } from './build/main-entry-external.mjs';
import { describePackage, thirdPartyLicenses } from './build/third-party-licenses.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const require = createRequire(import.meta.url);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const external = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

/** Bundles one entry and returns the folders of the packages whose code is now part of it. */
async function bundle({ name, source }, plugins) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile: join(dist, `${name}.cjs`),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external,
    // not keepNames: it wraps every inner function each time it is made. Without minifying, names stay.
    sourcemap: true,
    metafile: true,
    logLevel: 'warning',
    plugins,
  });
  return Object.keys(metafile.inputs)
    .map((file) => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0])
    .filter((folder) => folder !== undefined)
    .map((folder) => resolve(root, folder));
}

/** Explicit names, because `export *` from CommonJS depends on what each tool's lexer recognizes. */
function writeFaces({ name, source }, names) {
  const types = source.replace(/^src\//, './types/').replace(/\.ts$/, '.js');
  writeFileSync(
    join(dist, `${name}.mjs`),
    `export {\n${names.map((each) => `  ${each},\n`).join('')}} from './${name}.cjs';\n`,
  );
  writeFileSync(join(dist, `${name}.d.mts`), `export * from '${types}';\n`);
}

/** Only what was agreed on may be inlined: a package that slips in would ship without anybody's notice. */
function assertInlined(packages) {
  const unexpected = packages.map(({ name }) => name).filter((name) => !inlined.includes(name));
  if (unexpected.length === 0) return;
  throw new Error(
    `bundled, but neither a dependency nor in scripts/build/entries.mjs: ${unexpected.join(', ')}`,
  );
}

async function main() {
  const missing = [...entries, ...programs].find(({ source }) => !existsSync(join(root, source)));
  if (missing !== undefined) throw new Error(`${missing.source} is missing`);
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  const folders = new Set();
  let mainNames = [];
  for (const entry of entries) {
    const isMain = entry.name === 'index';
    const plugins = isMain ? [] : [mainEntryExternal(root, entry, mainNames), inlinePage];
    for (const folder of await bundle(entry, plugins)) folders.add(folder);
    const names = Object.keys(require(join(dist, `${entry.name}.cjs`))).sort();
    if (isMain) mainNames = names;
    writeFaces(entry, names);
  }
  for (const program of programs) {
    for (const folder of await bundle(program, [mainEntryExternal(root, program, mainNames)])) {
      folders.add(folder);
    }
    chmodSync(join(dist, `${program.name}.cjs`), 0o755);
  }
  const packages = [...folders].map(describePackage);
  assertInlined(packages);
  writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), thirdPartyLicenses(packages));
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
    { stdio: 'inherit', cwd: root },
  );
  console.log(
    `dist/: ${[...entries, ...programs].map(({ name }) => name).join(', ')} (${mainNames.length} names)`,
  );
}

try {
  await main();
} catch (error) {
  // esbuild and tsc have already said what is wrong; anything else speaks for itself in its message
  console.error(`build failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
