import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAptSources, sourcesFor } from '../../scripts/server/apt-sources';

const DEB822 = `# the machine's own
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
# a comment inside
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://switched-off.example/debian
Suites: bookworm
Components: main
Enabled: no
`;

const ONE_LINE = `# deb http://commented.example/ bookworm main
deb [arch=amd64 signed-by=/keys/tool.gpg] http://tool.example/apt bookworm main # a tool
deb-src http://source.example/debian bookworm main
`;

describe('the apt sources of the machine', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'boomerang-apt-'));
    mkdirSync(join(folder, 'sources.list.d'));
    writeFileSync(join(folder, 'sources.list'), ONE_LINE);
    writeFileSync(join(folder, 'sources.list.d', 'debian.sources'), DEB822);
    writeFileSync(join(folder, 'sources.list.d', 'other.list.disabled'), ONE_LINE);
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('are read in both formats, without what is switched off or only for source packages', () => {
    const uris = readAptSources(folder).map((source) => source.get('uris'));
    expect(uris).toEqual([
      'http://tool.example/apt',
      'http://mirror.example/debian',
      'http://mirror.example/debian-security',
    ]);
  });

  it('serve the own release as they are, keys included', () => {
    const text = sourcesFor('bookworm', 'bookworm', readAptSources(folder));
    expect(text).toContain('suites: bookworm-security');
    expect(text).toContain('signed-by: /keys/tool.gpg');
    expect(text).toContain('signed-by: \n -----BEGIN PGP');
  });

  it('lend the mirror and the keys of the distribution to another release, not those of a tool', () => {
    const text = sourcesFor('trixie', 'bookworm', readAptSources(folder));
    expect(text).toContain('uris: http://mirror.example/debian\n');
    expect(text).toContain('suites: trixie\n');
    expect(text).toContain('components: main\n');
    expect(text).toContain('BEGIN PGP');
    expect(text).not.toContain('tool.example');
  });

  it('are not guessed at where nothing fits', () => {
    expect(sourcesFor('trixie', 'noble', readAptSources(folder))).toBeUndefined();
  });
});
