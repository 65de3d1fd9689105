import { type DaemonBinary, isOfSeries } from './daemon-binary';
import { type PackageSet, unpackPackages } from './debian-packages';
import { DockerServer } from './docker-server';
import { OwnDatabase } from './own-database';
import { findPathDaemon } from './path-daemon';
import { PrivateServer } from './private-server';
import type { Flavour, ServerContext, ServerHandle } from './server-handle';
import { ServerUnavailableError } from './server-unavailable-error';

/** One way of having a server. It rejects with the reason when it cannot be had here. */
interface KindRow {
  readonly kind: string;
  readonly provide: (context: ServerContext) => Promise<ServerHandle>;
}

async function unpackedDaemon(packages: PackageSet, context: ServerContext): Promise<DaemonBinary> {
  return (await unpackPackages(packages, context)).daemon();
}

/** A server of one release series: from PATH when that has it, else from the packages of a release of Debian. */
function series(kind: string, flavour: Flavour, version: string, packageSet: PackageSet): KindRow {
  return {
    kind,
    provide: async (context) => {
      const fits = (binary: DaemonBinary): boolean =>
        binary.flavour === flavour && isOfSeries(binary.version, version);
      const onPath = await findPathDaemon(context.env).catch(() => undefined);
      const binary =
        onPath !== undefined && fits(onPath) ? onPath : await unpackedDaemon(packageSet, context);
      if (!fits(binary)) throw new Error(`what was found is ${binary.flavour} ${binary.version}`);
      return PrivateServer.launch(kind, binary, context);
    },
  };
}

const ownReleasePackages: PackageSet = { packages: ['mariadb-server-core'] };

/** Every kind of server; to add one, add a row. */
export const serverKinds = [
  {
    kind: 'database-url',
    provide: async ({ env }) => {
      if (!env['DATABASE_URL']) throw new Error('DATABASE_URL is not set');
      return OwnDatabase.create(env['DATABASE_URL']);
    },
  },
  {
    kind: 'path',
    provide: async (context) => {
      const binary = await findPathDaemon(context.env);
      if (binary === undefined) throw new Error('neither mariadbd nor mysqld is on PATH');
      return PrivateServer.launch('path', binary, context);
    },
  },
  {
    kind: 'packages',
    provide: async (context) =>
      PrivateServer.launch('packages', await unpackedDaemon(ownReleasePackages, context), context),
  },
  series('mariadb-10.11', 'mariadb', '10.11', {
    packages: ['mariadb-server-core'],
    suite: 'bookworm',
  }),
  series('mariadb-11.8', 'mariadb', '11.8', {
    packages: ['mariadb-server-core'],
    suite: 'trixie',
  }),
  // sid moves on: what is found there is checked, and refused when it is of another series by now
  series('mysql-9.7', 'mysql', '9.7', { packages: ['mysql-server-core'], suite: 'sid' }),
  { kind: 'docker', provide: (context) => DockerServer.launch('docker', 'mariadb', context) },
  {
    kind: 'docker-mysql',
    provide: (context) => DockerServer.launch('docker-mysql', 'mysql', context),
  },
] as const satisfies readonly KindRow[];

/** The ways that are tried, in this order, when no kind is asked for and `DATABASE_URL` is not set. */
export const defaultOrder: readonly string[] = ['path', 'packages', 'docker'];

/** The row of a kind; throws when there is none. */
export function kindRow(kind: string): KindRow {
  const row = serverKinds.find((candidate) => candidate.kind === kind);
  if (row !== undefined) return row;
  const known = serverKinds.map((candidate) => candidate.kind).join(', ');
  throw new ServerUnavailableError(kind, `there is no server kind '${kind}'; there are ${known}`);
}
