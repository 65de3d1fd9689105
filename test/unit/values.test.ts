import * as fc from 'fast-check';
import { ConfigurationError, InvalidArgumentError } from '../../src/errors';
import { toBytes } from '../../src/values/bytes';
import { ValueCodec } from '../../src/values/codec';

function roundTrip(value: unknown, codec = new ValueCodec()): unknown {
  const { kind, bytes } = codec.encode(value);
  return codec.decode(kind, bytes);
}

describe('a stored value', () => {
  it('comes back as what it was', () => {
    const values = [
      '',
      'é😀',
      '\ud800 half a pair',
      0,
      -0,
      0.1,
      NaN,
      -Infinity,
      2n ** 63n,
      true,
      null,
      [1, 'a'],
      { a: { b: [] } },
      Buffer.from([0, 255, 10]),
    ];
    for (const value of values) expect(roundTrip(value)).toStrictEqual(value);
  });

  it('whatever the string, the number, the bytes or the JSON', () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.bigInt(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      // JSON has no -0.
      fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value))),
    );
    fc.assert(fc.property(any, (value) => expect(roundTrip(value)).toStrictEqual(value)));
  });

  it('is a Buffer for bytes of any array, and only of the part that it shows', () => {
    const whole = new Uint8Array([1, 2, 3, 4]);
    expect(roundTrip(whole.subarray(1, 3))).toEqual(Buffer.from([2, 3]));
  });

  it.each([[undefined], [() => 'secret'], [Symbol('secret')]])('cannot be %p', (value) => {
    const encode = () => new ValueCodec().encode(value, 'field');
    expect(encode).toThrow(InvalidArgumentError);
    expect(encode).toThrow(/'field': must be bytes, a string, a number or JSON, got /);
    expect(encode).not.toThrow(/secret/);
  });

  it('cannot be a circle', () => {
    const circle: { self?: object } = {};
    circle.self = circle;
    expect(() => new ValueCodec().encode(circle)).toThrow(/'value': cannot be written as JSON/);
  });

  it("is what the caller's serializer makes of it, bytes or text", () => {
    const hex = new ValueCodec({
      serialize: (value) => String(value),
      deserialize: (bytes) => Number(bytes.toString()),
    });
    expect(roundTrip(42, hex)).toBe(42);
    expect(new ValueCodec().encode(42).kind).not.toBe(hex.encode(42).kind);
    const { kind, bytes } = hex.encode(1);
    expect(() => new ValueCodec().decode(kind, bytes)).toThrow(ConfigurationError);
    const bad = new ValueCodec({ serialize: () => 7 as never, deserialize: () => 0 });
    expect(() => bad.encode('secret')).toThrow(/must make a string or bytes of it, made a number/);
    expect(() => new ValueCodec({} as never)).toThrow(/'serializer': must have the functions/);
    expect(() => new ValueCodec(null as never)).toThrow(ConfigurationError);
  });
});

describe('bytes of a key', () => {
  it('are UTF-8, or the bytes themselves', () => {
    expect(toBytes('key', 'é', { longest: 2 })).toEqual(Buffer.from([0xc3, 0xa9]));
    expect(toBytes('key', new Uint8Array([255]), { longest: 2 })).toEqual(Buffer.from([255]));
    expect(toBytes('key', '', { longest: 2 })).toHaveLength(0);
  });

  it.each([
    ['abc', /'key': must be 1 to 2 bytes of valid UTF-8, got 3 bytes/],
    ['', /got 0 bytes/],
    ['\udc00', /valid UTF-8/],
    [5, /'key': must be a string or bytes, got a number/],
    [undefined, /got undefined/],
  ])('refuse %p', (value, rule) => {
    const make = () => toBytes('key', value, { least: 1, longest: 2 });
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(rule);
  });
});
