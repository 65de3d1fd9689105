import { requestOf } from '../../src/driver/statement-arguments';
import { InvalidArgumentError } from '../../src/errors';

type Arguments = Parameters<typeof requestOf>;

describe('the arguments of a statement', () => {
  it.each<[Arguments, ReturnType<typeof requestOf>]>([
    [['A'], { statement: { sql: 'A', values: undefined }, idempotent: undefined }],
    [['A', [1]], { statement: { sql: 'A', values: [1] }, idempotent: undefined }],
    [['A', [1], { idempotent: true }], { statement: { sql: 'A', values: [1] }, idempotent: true }],
    [
      ['A', undefined, { rowsAsArray: true }],
      { statement: { sql: 'A', shape: { rowsAsArray: true } }, idempotent: undefined },
    ],
    [
      [{ sql: 'A', values: [1], nestTables: true }],
      { statement: { sql: 'A', values: [1], shape: { nestTables: true } }, idempotent: undefined },
    ],
    [
      [{ sql: 'A', values: [1] }, [2]],
      { statement: { sql: 'A', values: [2] }, idempotent: undefined },
    ],
    [
      [{ sql: 'A' }, [2], { idempotent: true }],
      { statement: { sql: 'A', values: [2] }, idempotent: true },
    ],
  ])('%j are taken', (given, request) => {
    expect(requestOf(...given)).toEqual(request);
  });

  it.each<[unknown[], string]>([
    [[undefined], 'sql'],
    [[null], 'sql'],
    [[5], 'sql'],
    [[{}], 'sql'],
    [[{ sql: 5 }], 'sql'],
    [[['A']], 'sql'],
    [['A', 'secret'], 'values'],
    [['A', 5], 'values'],
    [['A', null], 'values'],
    [['A', { id: 'secret' }], 'values'],
    [['A', Buffer.from('secret')], 'values'],
    [[{ sql: 'A', values: 'secret' }], 'values'],
    [[{ sql: 'A', idempotent: 1 }], 'idempotent'],
    [[{ sql: 'A', timeout: '5' }], 'timeout'],
    [[{ sql: 'A', timeout: -1 }], 'timeout'],
    [[{ sql: 'A' }, [], { timeout: NaN }], 'timeout'],
    [['A', [], { signal: {} }], 'signal'],
    [['A', [], { retries: 0.5 }], 'retries'],
    [['A', [], { label: 5 }], 'label'],
    [['A', [], { namedPlaceholders: 1 }], 'namedPlaceholders'],
    [[{ sql: 'A', time: 5 }], 'sql'],
    [[{ sql: 'A' }, [], { time: 5 }], 'options'],
  ])('%j are refused as %s, and no value is shown', (given, argument) => {
    expect.hasAssertions();
    try {
      requestOf(...(given as Arguments));
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect((error as InvalidArgumentError).argument).toBe(argument);
      expect((error as Error).message).not.toContain('secret');
    }
  });

  it('names what is not carried out', () => {
    expect(() => requestOf({ sql: 'A', time: 5 } as never)).toThrow(/'time'/);
    expect(() => requestOf('A', [], { time: 5 } as never)).toThrow(/'time'/);
  });
});
