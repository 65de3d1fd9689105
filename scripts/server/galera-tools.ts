import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnpackedFolder } from './unpacked-folder';

/** Scripts that copy one node's data to another; they are shell and find each other beside themselves. */
const SCRIPTS = ['wsrep_sst_rsync', 'wsrep_sst_common'] as const;
/** What the scripts call and a machine may not have. The rest is part of every Debian. */
const PROGRAMS = ['my_print_defaults', 'rsync', 'ss', 'ip', 'ps'] as const;

/**
 * Makes `base` a base folder (`--basedir`) for a Galera node, with the tools for a transfer of state in its `bin`: the
 * daemon puts that folder first on the PATH of what it calls, and the one of the packages has programs that do not run
 * without their loader. Returns that `bin`.
 *
 * The scripts look in the table of sockets for a listener *named* rsync. A program run by a loader has the loader's
 * name, so each gets a link to the loader that bears the program's own.
 */
export function makeGaleraBase(base: string, unpacked: UnpackedFolder): string {
  rmSync(base, { recursive: true, force: true });
  const bin = join(base, 'bin');
  const loaders = join(base, 'loaders');
  for (const folder of [bin, loaders]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  symlinkSync(unpacked.file('usr/share'), join(base, 'share'));
  for (const name of SCRIPTS) symlinkSync(unpacked.program(name), join(bin, name));
  for (const name of PROGRAMS) {
    const loader = join(loaders, name);
    symlinkSync(unpacked.loader, loader);
    const command = [loader, ...unpacked.loaderArgs, unpacked.program(name)].map(quote).join(' ');
    const lines = name === 'rsync' ? rsyncLines(command) : [`exec ${command} "$@"`];
    writeFileSync(join(bin, name), ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(join(bin, name), 0o700);
  }
  return bin;
}

/**
 * Started by root, rsync's daemon would become `nobody`, who may not write in the data folder: it is told to stay root.
 * Started by anybody else it stays who it is, and fails when told so.
 */
function rsyncLines(command: string): string[] {
  return [
    'if [ "$1" = --daemon ] && [ "$(id -u)" = 0 ]; then',
    '  shift',
    `  exec ${command} --daemon --dparam=uid=0 --dparam=gid=0 "$@"`,
    'fi',
    `exec ${command} "$@"`,
  ];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
