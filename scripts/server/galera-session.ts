import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';

/** What a node says of itself and of its cluster. All of it can be asked for when it refuses everything else. */
export interface GaleraStatus {
  /** `Synced` when it is in step with the others. */
  readonly state: string;
  /** Whether it takes statements. */
  readonly isReady: boolean;
  /** How many nodes it sees, itself included. */
  readonly size: number;
  /** Whether these are a majority of those that were. */
  readonly isPrimary: boolean;
}

async function withConnection<T>(url: string, work: (on: Connection) => Promise<T>): Promise<T> {
  const connection = await createConnection({ uri: url, connectTimeout: 20_000 });
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

export function galeraStatus(url: string): Promise<GaleraStatus> {
  return withConnection(url, async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>("SHOW STATUS LIKE 'wsrep_%'");
    const values = new Map(
      rows.map((row) => [String(row['Variable_name']), String(row['Value'])] as const),
    );
    return {
      state: values.get('wsrep_local_state_comment') ?? 'unknown',
      isReady: values.get('wsrep_ready') === 'ON',
      size: Number(values.get('wsrep_cluster_size')),
      isPrimary: values.get('wsrep_cluster_status') === 'Primary',
    };
  });
}

/** Sets an option of Galera's own, such as `gmcast.isolate=1`. */
export async function setProviderOption(url: string, option: string): Promise<void> {
  await withConnection(url, (connection) =>
    connection.query('SET GLOBAL wsrep_provider_options = ?', [option]),
  );
}
