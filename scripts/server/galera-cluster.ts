import { newAccount } from './account';
import { unpackPackages } from './debian-packages';
import { type GaleraGroup, GaleraMember } from './galera-member';
import { PrivateServer } from './private-server';
import type { ServerContext, ServerHandle } from './server-handle';
import { ServerStartError } from './server-start-error';
import { reasonOf, ServerUnavailableError } from './server-unavailable-error';

const KIND = 'galera';

export interface GaleraOptions extends Partial<ServerContext> {
  /** How many nodes. @default 3 */
  readonly nodes?: number;
  /** Arguments for every node. A `--wsrep-provider-options` would replace the cluster's own, ports included. */
  readonly settings?: readonly string[];
}

/** A running Galera cluster, each node a server with the same account and the same data. Whoever asked for it calls `stop()`. */
export interface GaleraCluster {
  /** In the order they were started. `kill()`, `start()` and the like of a node work as those of any server. */
  readonly nodes: readonly ServerHandle[];
  /** Ends node `i` as a crash would (SIGKILL); the others go on when they see it, after some seconds. */
  kill(i: number): Promise<void>;
  /**
   * Starts node `i` again, ending it before if it runs, and resolves when it is in step with the others. When these
   * have lost the majority they become a cluster again first, and when none runs the node founds one with what it has.
   */
  restart(i: number): Promise<void>;
  /** Cuts node `i` off from the others while its clients still reach it: it refuses statements soon after. */
  isolate(i: number): Promise<void>;
  /** Ends what `isolate()` began and resolves when the node is in step again. */
  rejoin(i: number): Promise<void>;
  /** Ends every node for good and removes what they left. A second caller gets the first one's promise. */
  stop(): Promise<void>;
}

class PrivateCluster implements GaleraCluster {
  readonly nodes: PrivateServer[] = [];
  readonly #members: GaleraMember[] = [];
  #stopping: Promise<void> | undefined;

  /** Starts the nodes one after the other; when one fails nothing is left behind. */
  static async launch(count: number, context: ServerContext): Promise<PrivateCluster> {
    const unpacked = await unpackPackages({ packages: ['mariadb-server'] }, context);
    const binary = await unpacked.daemon();
    const cluster = new PrivateCluster();
    const group: GaleraGroup = {
      account: newAccount(),
      unpacked,
      env: context.env,
      members: cluster.#members,
      running: () => cluster.#members.filter((_, i) => cluster.nodes[i]?.pid !== undefined),
    };
    try {
      for (let i = 0; i < count; i++) {
        const member = new GaleraMember(group, `node${i + 1}`, i > 0);
        cluster.#members.push(member);
        cluster.nodes.push(await PrivateServer.launch(KIND, binary, context, member));
      }
      return cluster;
    } catch (error) {
      await cluster.stop().catch(() => undefined);
      throw error;
    }
  }

  async kill(i: number): Promise<void> {
    await this.#node(i).kill();
  }

  async restart(i: number): Promise<void> {
    await this.#node(i).restart();
  }

  async isolate(i: number): Promise<void> {
    await this.#member(i).isolate(true);
  }

  async rejoin(i: number): Promise<void> {
    await this.#member(i).isolate(false);
  }

  stop(): Promise<void> {
    this.#stopping ??= Promise.all(this.nodes.map((node) => node.stop())).then(() => undefined);
    return this.#stopping;
  }

  #node(i: number): PrivateServer {
    return present(this.nodes[i], i);
  }

  #member(i: number): GaleraMember {
    return present(this.#members[i], i);
  }
}

function present<T>(entry: T | undefined, i: number): T {
  if (entry === undefined) throw new RangeError(`there is no node ${i}`);
  return entry;
}

/**
 * Provides a cluster of MariaDB servers that replicate to each other before they answer a commit (Galera), from the
 * packages of this machine's own release. As with `provideServer`, whatever ends this process ends the cluster.
 *
 * Rejects with `ServerUnavailableError`, whose message is the reason, where it cannot be had, and with
 * `ServerStartError` when a node does not start.
 */
export async function provideGalera(options: GaleraOptions = {}): Promise<GaleraCluster> {
  const { nodes = 3, settings = [], env = process.env } = options;
  const { log = () => undefined, progress = () => undefined } = options;
  try {
    const cluster = await PrivateCluster.launch(nodes, { settings, env, log, progress });
    log(`The cluster is ${nodes} times ${cluster.nodes[0]?.origin}.`);
    return cluster;
  } catch (error) {
    if (error instanceof ServerStartError) throw error;
    throw new ServerUnavailableError(KIND, `${KIND}: ${reasonOf(error)}`, { cause: error });
  }
}
