import { dirname, join, resolve, sep } from 'node:path';

/**
 * esbuild plugin for a subpath entry: an import that leaves the entry's own folder becomes an import of
 * the main entry, so that the package holds no second copy of a class or of the connection scope.
 *
 * The redirect is a generated module that names what the main entry exports. A name it lacks is
 * therefore an error of the build and not an `undefined` at run time.
 */
export function mainEntryExternal(root, { source }, mainNames) {
  const sources = join(root, 'src') + sep;
  const own = dirname(join(root, source)) + sep;
  return {
    name: 'main-entry-external',
    setup(build) {
      build.onResolve({ filter: /^\.\.?(\/|$)/ }, ({ path, resolveDir, kind, namespace }) => {
        if (namespace !== 'file' || kind === 'entry-point') return undefined;
        const target = resolve(resolveDir, path);
        if (!resolveDir.concat(sep).startsWith(sources) || target.startsWith(own)) return undefined;
        return { path: 'index', namespace: 'main-entry' };
      });
      build.onResolve({ filter: /^\.\/index\.cjs$/, namespace: 'main-entry' }, ({ path }) => ({
        path,
        external: true,
      }));
      build.onLoad({ filter: /.*/, namespace: 'main-entry' }, () => ({
        contents: `export { ${mainNames.join(', ')} } from './index.cjs';`,
      }));
    },
  };
}
