import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newAccount } from '../../scripts/server/account';
import { GaleraMember } from '../../scripts/server/galera-member';
import { makeGaleraBase } from '../../scripts/server/galera-tools';
import { UnpackedFolder } from '../../scripts/server/unpacked-folder';

const LIBRARIES = 'lib/x86_64-linux-gnu';

/** A folder that looks like unpacked packages; its loader says how it was called instead of loading anything. */
function fakePackages(root: string): UnpackedFolder {
  for (const folder of [LIBRARIES, 'usr/bin', 'usr/share', 'usr/lib/galera'])
    mkdirSync(join(root, folder), { recursive: true });
  const loader = join(root, LIBRARIES, 'ld-linux-x86-64.so.2');
  writeFileSync(loader, '#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n');
  chmodSync(loader, 0o700);
  const programs = ['wsrep_sst_rsync', 'wsrep_sst_common', 'my_print_defaults'];
  for (const name of [...programs, 'rsync', 'ss', 'ip', 'ps'])
    writeFileSync(join(root, 'usr/bin', name), '');
  writeFileSync(join(root, 'usr/lib/galera/libgalera_smm.so'), '');
  return new UnpackedFolder(root, 'debian fake');
}

describe('a node of a Galera cluster', () => {
  let folder: string;
  let unpacked: UnpackedFolder;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "boomerang-it's-"));
    unpacked = fakePackages(join(folder, 'packages'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function run(...args: string[]): string[] {
    const bin = makeGaleraBase(join(folder, 'base'), unpacked);
    return execFileSync(join(bin, 'rsync'), args, { encoding: 'utf8' }).trimEnd().split('\n');
  }

  it('runs the tools of a transfer by their own loader, under their own names', () => {
    expect(run('a', 'b c')).toEqual([
      join(folder, 'base/loaders/rsync'),
      '--library-path',
      join(unpacked.root, LIBRARIES),
      join(unpacked.root, 'usr/bin/rsync'),
      'a',
      'b c',
    ]);
  });

  it("keeps rsync's daemon who it is", () => {
    const [, , , , ...args] = run('--daemon', '--port', '1');
    const isRoot = process.getuid?.() === 0;
    const rights = isRoot ? ['--dparam=uid=0', '--dparam=gid=0'] : [];
    expect(args).toEqual(['--daemon', ...rights, '--port', '1']);
  });

  it('founds the cluster when no other runs, even from what a killed one has left', async () => {
    const members: GaleraMember[] = [];
    const group = { account: newAccount(), unpacked, env: {}, members, running: () => [] };
    members.push(new GaleraMember(group, 'node1', false), new GaleraMember(group, 'node2', true));
    mkdirSync(join(folder, 'data'));
    const state = join(folder, 'data', 'grastate.dat');
    writeFileSync(state, 'seqno:   -1\nsafe_to_bootstrap: 0\n');

    for (const member of members) {
      const { args } = await member.startExtras(folder, 20_000);
      expect(args).toContain('--wsrep-new-cluster');
    }

    const addresses = new Set(members.map(({ address }) => address));
    expect(addresses.size).toBe(2);
    expect(addresses).not.toContain('127.0.0.1:20000');
    expect(readFileSync(state, 'utf8')).toContain('safe_to_bootstrap: 1');
  });
});
