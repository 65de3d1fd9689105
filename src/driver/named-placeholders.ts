import createCompiler from 'named-placeholders';
import { InvalidArgumentError, describeType } from '../errors';
import { driverReading, serverReadings } from './sql-readings';

/*
 * The package finds the placeholders; its own idea of what is quoted knows no comments and no
 * backticks, and its cache belongs to what it compiles. So it gets the text with all literals
 * blanked, and what it found there is remembered here.
 */
const { parse } = createCompiler({ cache: false });

interface Compiled {
  readonly sql: string;
  /** One per `?`, in order; a name used twice is here twice. */
  readonly names: readonly string[];
}

const remembered = new Map<string, Compiled>();
const REMEMBERED_AT_MOST = 1000;
const REMEMBERED_LENGTH = 2000;

const refused = (rule: string): InvalidArgumentError => new InvalidArgumentError('sql', rule);

/** What looks like a placeholder, whether or not the package takes it for one. */
const CANDIDATE = /(:*):([\w$\u0080-\uffff]+)/g;
const NAME = /^(?:\d+|[a-z]\w*)$/i;

function checkCandidates(bare: string): void {
  for (const [, colons, name = ''] of bare.matchAll(CANDIDATE)) {
    if (colons !== '') {
      throw refused(`has ::${name}; a name of a table or column cannot be bound as a value`);
    }
    if (!NAME.test(name)) {
      throw refused(`has :${name}; a placeholder is a letter, then letters, digits and _`);
    }
  }
}

interface Found {
  readonly name: string;
  /** Of the colon. */
  readonly at: number;
}

function placeholdersOf(bare: string): Found[] {
  const [parts, placeholders = []] = parse(bare);
  let end = 0;
  return placeholders.map((name, index) => {
    if (typeof name === 'number') {
      throw refused('has a ? beside values by name: write all placeholders as :name');
    }
    const at = end + (parts[index] ?? '').length;
    end = at + 1 + name.length;
    return { name, at };
  });
}

const isSame = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((item, index) => item === other[index]);

function compile(sql: string): Compiled {
  const [reading, ...others] = serverReadings(sql);
  const found = placeholdersOf(reading.bare);
  const places = found.map(({ at }) => at);
  for (const { bare } of others) {
    const elsewhere = placeholdersOf(bare).map(({ at }) => at);
    if (!isSame(places, elsewhere)) {
      throw refused('has a placeholder in an executable comment, which not every server runs');
    }
  }
  checkCandidates(reading.bare);
  let text = '';
  let done = 0;
  const marks = found.map(({ name, at }, index) => {
    // The driver takes ?? for the place of a name.
    text += sql.slice(done, at) + (index > 0 && at === done ? ' ' : '');
    const mark = text.length;
    text += '?';
    done = at + 1 + name.length;
    return mark;
  });
  text += sql.slice(done);
  const driver = driverReading(text);
  if (driver !== undefined) {
    const seen = Array.from(driver.bare.matchAll(/\?/g), ({ index }) => index);
    if (!isSame(marks, seen)) {
      throw refused(
        "has a ' or ? in double quotes or after #, which the driver reads otherwise: write '…' or --",
      );
    }
  }
  return { sql: text, names: found.map(({ name }) => name) };
}

function compiled(sql: string): Compiled {
  const known = remembered.get(sql);
  if (known !== undefined) return known;
  const fresh = compile(sql);
  if (sql.length <= REMEMBERED_LENGTH) {
    if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
    remembered.set(sql, fresh);
  }
  return fresh;
}

/** The names for which `values` has nothing to bind, as they stand in the text. */
function namesWhere(
  names: readonly string[],
  values: Readonly<Record<string, unknown>>,
  lacks: (name: string) => boolean,
): string {
  return [...new Set(names.filter(lacks))].map((name) => `:${name}`).join(', ');
}

/**
 * A statement with placeholders by name, brought into the form that is sent: each `:name` becomes a
 * `?`, and its value is taken from the object. A name may stand in the text several times; values
 * that the text does not use are left out. In quoted texts, quoted names and comments a colon is a
 * colon, and `:=` is an assignment.
 *
 * Values are handed on as they are: what may be bound is the same as by position.
 *
 * @throws {InvalidArgumentError} naming `values`, and the placeholders, where the object does not
 * have them as its own or has them as undefined; naming `sql`, for a `?` beside names, for `::name`,
 * and for text that servers, or the driver and the server, read differently. Nothing is sent.
 * @example
 * positional('SELECT * FROM t WHERE a = :id OR b = :id', { id: 5 });
 * // { sql: 'SELECT * FROM t WHERE a = ? OR b = ?', values: [5, 5] }
 */
export function positional(
  sql: string,
  values: Readonly<Record<string, unknown>>,
): { sql: string; values: unknown[] } {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    const rule = `must be an object of values by name, got ${describeType(values)}`;
    throw new InvalidArgumentError('values', rule);
  }
  const { sql: text, names } = compiled(sql);
  // What an object inherits (`toString`, `constructor`) is nobody's value.
  const missing = namesWhere(names, values, (name) => !Object.hasOwn(values, name));
  if (missing !== '') throw new InvalidArgumentError('values', `has nothing for ${missing}`);
  const bound = names.map((name) => values[name]);
  const unset = namesWhere(names, values, (name) => values[name] === undefined);
  if (unset !== '') {
    const rule = `has undefined for ${unset}: write null where NULL is meant`;
    throw new InvalidArgumentError('values', rule);
  }
  return { sql: text, values: bound };
}
