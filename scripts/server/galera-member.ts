import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from './account';
import { freePort } from './free-port';
import { galeraStatus, setProviderOption } from './galera-session';
import { makeGaleraBase } from './galera-tools';
import type { Membership, StartExtras } from './membership';
import { reasonOf } from './server-unavailable-error';
import type { UnpackedFolder } from './unpacked-folder';

const HOST = '127.0.0.1';
const POLL_MS = 50;
const REJOIN_LIMIT_MS = 60_000;
/** How long nodes may take to notice that another is gone. */
const NOTICE_LIMIT_MS = 60_000;

/** Ports of a node beside the one for SQL. */
interface GroupPorts {
  readonly group: number;
  readonly incremental: number;
  readonly snapshot: number;
}

/** What a member knows of its cluster. */
export interface GaleraGroup {
  readonly account: Account;
  readonly unpacked: UnpackedFolder;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** All of them, the asking one included. */
  readonly members: readonly GaleraMember[];
  /** Those that run. */
  running(): readonly GaleraMember[];
}

/** One node's part in a Galera cluster: what it is started with, and when it is of use. */
export class GaleraMember implements Membership {
  readonly #group: GaleraGroup;
  readonly #name: string;
  #ports: GroupPorts | undefined;
  /** Whether it was up once: the others know its ports by then. */
  #settled = false;
  /** Whether `isolate()` has cut it off. */
  #isolated = false;
  #url = '';

  constructor(
    group: GaleraGroup,
    name: string,
    readonly joins: boolean,
  ) {
    this.#group = group;
    this.#name = name;
  }

  get account(): Account {
    return this.#group.account;
  }

  /** Where the other nodes find this one; undefined before its first start. */
  get address(): string | undefined {
    return this.#ports === undefined ? undefined : `${HOST}:${this.#ports.group}`;
  }

  get portsOfOthers(): ReadonlySet<number> {
    const others = this.#group.members.filter((member) => member !== this);
    return new Set(others.flatMap((member) => Object.values(member.#ports ?? {})));
  }

  async startExtras(folder: string, port: number): Promise<StartExtras> {
    const { unpacked, env, members } = this.#group;
    if (!this.#settled || this.#ports === undefined) this.#ports = await this.#choosePorts(port);
    const { group, incremental, snapshot } = this.#ports;
    const base = join(folder, 'base');
    const tools = makeGaleraBase(base, unpacked);
    const others = this.#group.running().filter((other) => other !== this && !other.#isolated);
    if (others.length === 0) allowFounding(join(folder, 'data'));
    else await others[0]?.makePrimary(others.length);
    const addresses = members.flatMap(({ address }) => address ?? []);
    return {
      env: { PATH: [tools, env['PATH'] ?? ''].join(delimiter) },
      args: [
        `--basedir=${base}`,
        '--binlog-format=ROW',
        '--default-storage-engine=InnoDB',
        '--innodb-autoinc-lock-mode=2',
        '--wsrep-on=ON',
        `--wsrep-provider=${unpacked.file('usr/lib/galera/libgalera_smm.so')}`,
        '--wsrep-cluster-name=boomerang',
        `--wsrep-cluster-address=gcomm://${addresses.join(',')}`,
        `--wsrep-node-name=${this.#name}`,
        `--wsrep-node-address=${HOST}`,
        `--wsrep-node-incoming-address=${HOST}:${port}`,
        '--wsrep-sst-method=rsync',
        `--wsrep-sst-receive-address=${HOST}:${snapshot}`,
        `--wsrep-provider-options=${providerOptions(group, incremental)}`,
        ...(others.length === 0 ? ['--wsrep-new-cluster'] : []),
      ],
    };
  }

  /** Most of these are listened on for a moment only, now and then: that one is free says little. */
  async #choosePorts(sql: number): Promise<GroupPorts> {
    const taken = new Set([sql, ...this.portsOfOthers]);
    const next = async (): Promise<number> => {
      const port = await freePort(taken);
      taken.add(port);
      return port;
    };
    return { group: await next(), incremental: await next(), snapshot: await next() };
  }

  /** A node greets before it has caught up, and refuses nearly every statement until then. */
  async awaitReady(
    url: string,
    limitMs: number,
    isAlive: () => boolean = () => true,
  ): Promise<void> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      // it may as well be that it does not let anybody in yet
      const status = await galeraStatus(url).catch(reasonOf);
      if (typeof status === 'object' && status.isReady && status.state === 'Synced') break;
      if (!isAlive()) throw new Error('ended before it was in step with its cluster');
      const words = typeof status === 'object' ? status.state : status;
      if (Date.now() > deadline)
        throw new Error(`was not in step with its cluster in ${limitMs / 1000} s (${words})`);
      await delay(POLL_MS);
    }
    this.#url = url;
    this.#settled = true;
    this.#isolated = false;
  }

  /** Takes the node out of the cluster's traffic or back into it, by Galera's own switch for that. */
  async isolate(isolated: boolean): Promise<void> {
    await setProviderOption(this.#url, `gmcast.isolate=${isolated ? 1 : 0}`);
    this.#isolated = isolated;
    if (!isolated) await this.awaitReady(this.#url, REJOIN_LIMIT_MS);
  }

  /**
   * Nodes that have lost the majority let nobody join. As an administrator would, the one that is asked makes what is
   * left of the cluster a cluster again, once it has seen that the others are gone; `count` is how many are left.
   */
  async makePrimary(count: number): Promise<void> {
    const deadline = Date.now() + NOTICE_LIMIT_MS;
    let status = await galeraStatus(this.#url);
    while (status.size > count && Date.now() < deadline) {
      await delay(POLL_MS);
      status = await galeraStatus(this.#url);
    }
    if (!status.isPrimary) await setProviderOption(this.#url, 'pc.bootstrap=YES');
  }
}

function providerOptions(group: number, incremental: number): string {
  return [
    `base_port=${group}`,
    `gmcast.listen_addr=tcp://${HOST}:${group}`,
    `ist.recv_addr=${HOST}:${incremental}`,
    // a node that vanishes is missed after two seconds instead of five
    'evs.suspect_timeout=PT2S',
    'evs.inactive_timeout=PT6S',
    'evs.keepalive_period=PT0.5S',
    // the ring of recent writes is made in full at the start; its default would be 128 MB a node
    'gcache.size=8M',
    'gcache.page_size=8M',
  ].join(';');
}

/** With no other node up, the first that comes founds the cluster anew from what it has, even if it was killed. */
function allowFounding(data: string): void {
  const state = join(data, 'grastate.dat');
  if (!existsSync(state)) return;
  const text = readFileSync(state, 'utf8');
  writeFileSync(state, text.replace(/^safe_to_bootstrap: 0$/m, 'safe_to_bootstrap: 1'));
  // the view of the cluster that was; a node that finds it waits for all the others
  rmSync(join(data, 'gvwstate.dat'), { force: true });
}
