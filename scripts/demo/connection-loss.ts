/** What drivers and servers say when a session ends under a running statement. */
const CODES = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'];
/** Server shutting down, session killed (MariaDB, MySQL). */
const NUMBERS = [1053, 1927, 3169];

/**
 * True where the connection was lost, as opposed to the server refusing what it was asked. Only then
 * may a caller think about running its work again.
 */
export function isConnectionLoss(error: unknown): boolean {
  const { code, errno, message } = error as { code?: string; errno?: number; message?: string };
  if (errno !== undefined && NUMBERS.includes(errno)) return true;
  if (code !== undefined) return CODES.includes(code);
  return /in closed state/.test(message ?? '');
}
