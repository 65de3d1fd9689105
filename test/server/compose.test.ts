import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../scripts/server/path-daemon';

const folder = join(__dirname, '../../docker');
const file = join(folder, 'compose.yaml');

interface Service {
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: unknown;
}

/** Compose's own checker where there is one. It needs no engine. */
function validator(): string[] | undefined {
  const docker = findProgram('docker', process.env);
  if (docker !== undefined) {
    try {
      execFileSync(docker, ['compose', 'version'], { stdio: 'ignore' });
      return [docker, 'compose'];
    } catch {
      // docker without its plugin
    }
  }
  const standalone = findProgram('docker-compose', process.env);
  return standalone === undefined ? undefined : [standalone];
}

/** The services, read by a YAML parser that came with another tool, or not at all. */
function services(): Record<string, Service> | undefined {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- may be absent, it is nobody's own dependency
    const yaml = require('js-yaml') as { load: (text: string) => unknown };
    return (yaml.load(readFileSync(file, 'utf8')) as { services: Record<string, Service> })
      .services;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

describe('docker/compose.yaml', () => {
  it('is valid in the eyes of Compose, or of a YAML parser where Compose is missing', () => {
    const command = validator();
    const [program, ...leading] = command ?? [];
    const parsed = services();
    if (program !== undefined) execFileSync(program, [...leading, '-f', file, 'config', '-q']);
    const checked = [command?.join(' '), parsed && 'js-yaml'].filter(Boolean).join(' and ');
    process.stdout.write(`compose.yaml was checked by ${checked || 'nothing: no checker here'}\n`);
    if (parsed !== undefined)
      expect(Object.keys(parsed)).toEqual(expect.arrayContaining(['mariadb', 'mysql']));
  });

  it('publishes ports on the loopback interface only', () => {
    const ports = Object.values(services() ?? {}).flatMap((service) => service.ports ?? []);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('gives both servers a health check and files that exist', () => {
    const parsed = services();
    for (const name of parsed === undefined ? [] : ['mariadb', 'mysql']) {
      const service = parsed?.[name];
      expect(service?.healthcheck).toBeDefined();
      for (const volume of service?.volumes ?? [])
        expect(existsSync(join(folder, volume.split(':')[0] ?? ''))).toBe(true);
    }
  });
});
