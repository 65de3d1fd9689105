import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * esbuild plugin: in the place of src/monitor/dashboard/files.ts, which reads the files beside it, a module
 * that has their text. The order of the script's modules stays that module's.
 */
export const inlinePage = {
  name: 'inline-page',
  setup(build) {
    build.onLoad({ filter: /[\\/]monitor[\\/]dashboard[\\/]files\.ts$/ }, ({ path }) => {
      const folder = dirname(path);
      const names = readdirSync(folder).filter((name) => !name.endsWith('.ts'));
      const texts = Object.fromEntries(
        names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
      );
      const read = /const read = [^;]*;/;
      const source = readFileSync(path, 'utf8');
      if (!read.test(source)) throw new Error('files.ts no longer reads by a function `read`');
      const contents = source.replace(
        read,
        () =>
          `const texts: Record<string, string> = ${JSON.stringify(texts)};\n` +
          'const read = (name: string): string => texts[name]!;',
      );
      return { contents, loader: 'ts', resolveDir: folder };
    });
  },
};
