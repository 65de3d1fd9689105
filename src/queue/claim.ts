import { NOW, State } from './delivery-sql';
import { RowList } from './row-list';

/** A claim to one delivery. */
export interface Claim {
  readonly groupId: number;
  readonly messageId: number;
  readonly claim: number;
  /** Whether the message has a key, and so a lane to give up. */
  readonly lane: Buffer | undefined;
}

/** What tells deliveries apart. */
export function placeOf({
  groupId,
  messageId,
}: {
  readonly groupId: number | string;
  readonly messageId: number | string;
}): string {
  return `${groupId} ${messageId}`;
}

/** Claims as a condition of a read: each message by its own claim. */
export function theseClaims(claims: readonly Claim[]): string {
  const byClaim = new Map<string, number[]>();
  for (const { groupId, claim, messageId } of claims) {
    const owner = `group_id = ${groupId} AND claim = ${claim}`;
    const ids = byClaim.get(owner);
    if (ids === undefined) byClaim.set(owner, [messageId]);
    else ids.push(messageId);
  }
  const each = [...byClaim].map(
    ([owner, ids]) => `(${owner} AND message_id IN (${ids.sort((a, b) => a - b).join()}))`,
  );
  return `(${each.join(' OR ')}) AND state = ${State.claimed} AND due > ${NOW}`;
}

/** In the order of the rows, for all who change several. */
export function listOf(claims: readonly Claim[]): RowList {
  const sorted = [...claims].sort((a, b) => a.groupId - b.groupId || a.messageId - b.messageId);
  const rows = sorted.map(({ groupId, messageId, claim }) => [groupId, messageId, claim]);
  return new RowList(['groupId', 'messageId', 'claim'], rows);
}
