import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One entry of an apt source list, in the words of the newer format. A value may go over several lines. */
export type AptSource = ReadonlyMap<string, string>;

/** Which distribution this machine runs; undefined where nothing says so. */
export interface Release {
  readonly id: string;
  readonly codename: string;
}

/** Reads `/etc/os-release`. */
export function readRelease(file = '/etc/os-release'): Release | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  const value = (name: string): string | undefined =>
    new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1];
  const id = value('ID');
  const codename = value('VERSION_CODENAME');
  return id === undefined || codename === undefined ? undefined : { id, codename };
}

/** Entries of a `.sources` file: paragraphs of `Field: value`, continuation lines indented. */
function parseDeb822(text: string): AptSource[] {
  const withoutComments = text.replaceAll(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).map((paragraph) => {
    const fields = paragraph.matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm);
    return new Map([...fields].map(([, name = '', value = '']) => [name.toLowerCase(), value]));
  });
}

/** Entries of a `.list` file: `deb [options] uri suite component…` a line. */
function parseOneLine(text: string): AptSource[] {
  return [...text.matchAll(/^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)/gm)].map(
    ([, options = '', uri = '', suite = '', components = '']) => {
      const signedBy = /signed-by=(\S+)/.exec(options)?.[1];
      return new Map([
        ['types', 'deb'],
        ['uris', uri],
        ['suites', suite],
        ['components', components.trim()],
        ...(signedBy === undefined ? [] : [['signed-by', signedBy] as const]),
      ]);
    },
  );
}

function words(source: AptSource, field: string): string[] {
  return (source.get(field) ?? '').split(/\s+/);
}

/** Every entry for binary packages that apt of this machine uses. */
export function readAptSources(folder = '/etc/apt'): AptSource[] {
  const parts = join(folder, 'sources.list.d');
  const files = [
    join(folder, 'sources.list'),
    ...(existsSync(parts) ? readdirSync(parts).sort() : []).map((name) => join(parts, name)),
  ];
  return files
    .filter((file) => existsSync(file))
    .flatMap((file) => {
      if (file.endsWith('.sources')) return parseDeb822(readFileSync(file, 'utf8'));
      return file.endsWith('.list') ? parseOneLine(readFileSync(file, 'utf8')) : [];
    })
    .filter((source) => words(source, 'types').includes('deb') && source.get('enabled') !== 'no');
}

/** The machine's own entries for a release with its updates and security fixes, others' left out. */
function ownSources(sources: readonly AptSource[], codename: string): AptSource[] {
  const suites = [codename, `${codename}-updates`, `${codename}-security`];
  return sources.filter(
    (source) =>
      words(source, 'components').includes('main') &&
      words(source, 'suites').some((suite) => suites.includes(suite)),
  );
}

/**
 * Text of a `.sources` file for `suite`, taken from the machine's own mirror and keys: its own entries when the suite
 * is the machine's release, else that mirror's entry with the suite put in. Undefined when no entry fits.
 */
export function sourcesFor(
  suite: string,
  codename: string,
  sources: readonly AptSource[],
): string | undefined {
  const own = ownSources(sources, codename);
  if (own.length === 0) return undefined;
  if (suite === codename) return own.map(format).join('\n');
  const main = own.filter((source) => words(source, 'suites').includes(codename));
  // an entry with updates is the distribution's own; others that borrow the release's name have none
  const [mirror] = [...main.filter((source) => hasUpdates(source, codename)), ...main];
  if (mirror === undefined) return undefined;
  return format(new Map([...mirror, ['suites', suite], ['components', 'main']]));
}

function hasUpdates(source: AptSource, codename: string): boolean {
  return words(source, 'suites').includes(`${codename}-updates`);
}

function format(source: AptSource): string {
  return [...source].map(([name, value]) => `${name}: ${value}\n`).join('');
}
