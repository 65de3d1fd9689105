import { InvalidArgumentError, describeType } from '../errors';
import { SqlAssembly } from './sql-assembly';
import { driverReading, serverReadings } from './sql-readings';

/** The literal text of a template, checked. */
export interface Template {
  readonly pieces: readonly string[];
  /** The whole text where every interpolation is a value. */
  readonly sql: string;
}

const templates = new WeakMap<TemplateStringsArray, Template>();

/**
 * A piece of literal text must be closed in itself and have no `?` of its own, for the server and
 * for the driver: then every `?` of the whole is a value's, and no value is inside a quote.
 */
function checkedPiece(piece: string | undefined, index: number, last: number): string {
  const place = index < last ? `the text before interpolation ${index + 1}` : 'the text at the end';
  const refused = (rule: string): never => {
    throw new InvalidArgumentError('sql', `${place} ${rule}`);
  };
  if (piece === undefined) return refused('has an invalid escape sequence');
  const servers = serverReadings(piece);
  const driver = driverReading(piece);
  const readings = driver === undefined ? servers : [...servers, driver];
  if (readings.some(({ bare }) => bare.includes('?'))) {
    return refused(
      servers.some(({ bare }) => bare.includes('?'))
        ? 'has a ? of its own, which would take the value of another: write ${value}'
        : "has a ? in double quotes or after #, which the driver takes for a placeholder: write '…' or --",
    );
  }
  const closable = servers.every(({ open }) => open) && index === last;
  if (closable && serverReadings(`${piece}\n`).every(({ open }) => !open)) {
    // A comment at the end must not swallow what this is spliced into.
    return checkedPiece(`${piece}\n`, index, last);
  }
  if (!readings.some(({ open }) => open)) return piece;
  return refused(
    servers.every(({ open }) => !open)
      ? "has a ' or ` in double quotes or after #, which the driver takes for the begin of a text: write '…' or --"
      : index < last
        ? 'ends inside quotes or a comment, where nothing can be bound: write CONCAT(…), or put the quotes into the value'
        : 'ends inside quotes or a comment',
  );
}

/**
 * The template of these strings. A place in a program has the same strings every time: it is checked
 * once.
 *
 * @throws {InvalidArgumentError} for text in which a value would not be where it seems to be.
 */
export function templateOf(strings: TemplateStringsArray): Template {
  const known = templates.get(strings);
  if (known !== undefined) return known;
  if (!Array.isArray(strings) || !Array.isArray(strings.raw)) {
    throw new InvalidArgumentError(
      'sql',
      `is a template tag and takes no ${describeType(strings)}: write sql\`…\``,
    );
  }
  const last = strings.length - 1;
  const pieces = strings.map((piece, index) => checkedPiece(piece, index, last));
  const whole = new SqlAssembly();
  pieces.forEach((piece, index) => {
    whole.text(piece);
    if (index < last) whole.text('?');
  });
  const template = { pieces, sql: whole.sql };
  templates.set(strings, template);
  return template;
}
