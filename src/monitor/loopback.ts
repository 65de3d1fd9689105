import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine reaches it: an address of the loopback, or its name. */
export function isLoopback(host: string): boolean {
  const kind = isIP(host);
  if (kind === 0) return host.toLowerCase() === 'localhost';
  // Finds IPv4 addresses that are written as IPv6 too.
  return LOOPBACK.check(host, kind === 4 ? 'ipv4' : 'ipv6');
}
