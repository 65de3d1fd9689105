import type { QueueAccess } from './queue-access';
import { RowList } from './row-list';

/** A change of some rows of one state, those that are due first. */
export interface ChangeOfSome {
  /**
   * In one statement, past rows that others have locked. The rows are found first and then looked up
   * one by one: written as a plain join the planner may begin with the table, and then waits for a
   * producer who has not committed yet.
   */
  readonly skipping: string;
  /** Which they are, locked or not. */
  readonly candidates: string;
  /** Those of them that are listed, and still are what they were. */
  readonly listed: (each: string) => string;
}

/** Which rows, at most so many; `condition` is bound to what they are to be. */
export interface SomeDeliveries {
  readonly groupId: number;
  readonly most: number;
  readonly condition: readonly unknown[];
}

interface Changed {
  readonly affectedRows: number;
  readonly insertId: number;
}

const NOTHING: Changed = { affectedRows: 0, insertId: 0 };

/** Changes them past what others have locked; on a server that cannot, past what others were first to change. */
export function changeSome(
  access: QueueAccess,
  { skipping, candidates, listed }: ChangeOfSome,
  { groupId, most, condition }: SomeDeliveries,
  assigned: readonly unknown[] = [],
): Promise<Changed> {
  const which = [groupId, ...condition, String(most)];
  const plain = async (): Promise<Changed> => {
    for (;;) {
      const rows = await access.rows<{ id: number | string }>(candidates, which);
      if (rows.length === 0) return NOTHING;
      const ids = rows.map(({ id }) => Number(id)).sort((a, b) => a - b);
      const list = new RowList(
        ['groupId', 'messageId'],
        ids.map((id) => [groupId, id]),
      );
      const changed = await access.changeEach(list, listed, [...assigned, ...condition]);
      // None: somebody else has had them all, and so others have come to the front.
      if (changed.affectedRows > 0) return changed;
    }
  };
  return access.either(() => access.change(skipping, [...which, ...assigned]), plain);
}
