/** A table of this library's. The SQL stands with the statements on it, in the table's own file. */
export interface TableDefinition {
  /** Without the prefix. */
  readonly name: string;
  /** Counts up with every change of the DDL. */
  readonly version: number;
  /** Creates the newest version where there is no table. Safe to run at once from many processes. */
  create(table: string): string;
  /** What leads from one version to the next, by the version it leads to. Safe to run twice. */
  readonly upgrades: Readonly<Record<number, (table: string) => readonly string[]>>;
}

/** The table's name with its prefix, as it stands in SQL. */
export function nameOf({ name }: TableDefinition, prefix: string): string {
  return `\`${prefix}${name}\``;
}
