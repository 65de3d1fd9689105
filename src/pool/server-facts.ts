import type { Connection } from '../driver/connection';

/** What a session was told of itself and its server when it was set up. */
export interface ServerFacts {
  /** How long the server lets it rest, in ms; 0 where that is not known. */
  readonly waitTimeout: number;
  /** Its number there. Another than the handshake's where something stands between. */
  readonly sessionId: number;
  /** Tells servers apart; the same after a restart. */
  readonly server: string;
  /** The longest statement the server takes, in bytes. */
  readonly maxAllowedPacket: number;
}

export async function factsOf(connection: Connection): Promise<ServerFacts> {
  const [rows] = await connection.run<unknown[]>('query', {
    sql:
      'SELECT @@wait_timeout, CONNECTION_ID(), @@max_allowed_packet, ' +
      '@@hostname, @@port, @@server_id',
    shape: { rowsAsArray: true },
  });
  const [waitTimeout, sessionId, maxAllowedPacket, ...identity] = (rows as unknown[][])[0] ?? [];
  return {
    waitTimeout: Number(waitTimeout ?? 0) * 1000,
    sessionId: Number(sessionId ?? connection.threadId),
    server: identity.join(':'),
    maxAllowedPacket: Number(maxAllowedPacket ?? 0),
  };
}
