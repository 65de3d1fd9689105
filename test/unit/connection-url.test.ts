import { ConfigurationError, type BoomerangError } from '../../src/errors';
import { resolveOptions, type DatabaseOptions } from '../../src/options';

const SECRET = 's3cr3t';

function refusal(options: unknown): BoomerangError {
  try {
    resolveOptions(options as DatabaseOptions);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('the options were taken');
}

describe('a connection URL', () => {
  it('gives host, port, user, password and database, percent-decoded', () => {
    const { driver } = resolveOptions('mysql://us%40er:p%3Ass%2F%25@db.example:3307/my%20shop');
    expect(driver).toMatchObject({
      host: 'db.example',
      port: 3307,
      user: 'us@er',
      password: 'p:ss/%',
      database: 'my shop',
    });
  });

  it.each(['mysql', 'mariadb', 'mysql2'])('may begin with %s:', (protocol) => {
    expect(resolveOptions(`${protocol}://h/d`).driver.host).toBe('h');
  });

  it('takes an IPv6 address without its brackets', () => {
    expect(resolveOptions('mysql://[::1]:3306/d').driver.host).toBe('::1');
  });

  it('gives options of every group in its query, JSON where it is JSON', () => {
    const { pool, retry, log, driver } = resolveOptions(
      'mysql://h/d?connectionLimit=20&waitForConnections=false&retry={"attempts":5}' +
        '&logLevel=warn&ssl={"rejectUnauthorized":true}&timezone=%2B02:00&initSql=SELECT%201',
    );
    expect([pool.connectionLimit, pool.waitForConnections, pool.initSql]).toEqual([
      20,
      false,
      ['SELECT 1'],
    ]);
    expect([retry.attempts, log.logLevel]).toEqual([5, 'warn']);
    expect(driver).toMatchObject({ ssl: { rejectUnauthorized: true }, timezone: '+02:00' });
  });

  it.each(['password', 'user', 'database', 'host'])('keeps a %s of digits a text', (name) => {
    const { driver } = resolveOptions(`mysql:///?${name}=007`);
    expect(driver[name as 'password']).toBe('007');
  });

  it('weighs more than the defaults and less than options given beside it', () => {
    const { pool, driver } = resolveOptions({
      uri: 'mysql://app:one@h/d?connectionLimit=20&minIdle=2',
      password: 'two',
      connectionLimit: 30,
    });
    expect([pool.connectionLimit, pool.minIdle, pool.queueLimit]).toEqual([30, 2, 0]);
    expect([driver.user, driver.password]).toEqual(['app', 'two']);
  });

  it('is no way round the refusal of unknown and refused options', () => {
    expect(refusal('mysql://h/d?conectionLimit=20').message).toMatch(
      /'conectionLimit'.*not an option/,
    );
    expect(refusal('mysql://h/d?multipleStatements=true').message).toMatch(/refused/);
    expect(refusal('mysql://h/d?uri=x').message).toMatch(/'uri'/);
    expect(refusal('mysql://h/d?connectionLimit=many').message).toMatch(/'connectionLimit'/);
    expect(refusal('mysql://h:0/d').message).toMatch(/'port'/);
  });
});

describe('the password', () => {
  it.each([
    ['no protocol', `app:${SECRET}@h/d`],
    ['no protocol, slashes', `//app:${SECRET}@h/d`],
    ['another protocol', `http://app:${SECRET}@h/d`],
    ['bad percent encoding', `mysql://app:${SECRET}%zz@h/d`],
    ['bad percent encoding elsewhere', `mysql://app:${SECRET}@h/%zz`],
    ['a port out of range', `mysql://app:${SECRET}@h:99999/d`],
    ['a space in the host', `mysql://app:${SECRET}@h h/d`],
    ['not a URL', SECRET],
    ['an unknown option beside it', `mysql://app:${SECRET}@h/d?nonsense=1`],
    ['a wrong option beside it', `mysql://app:${SECRET}@h/d?connectionLimit=0`],
    ['an option as a value', { uri: `mysql://app:${SECRET}@h/d`, connectionLimit: -1 }],
    ['a wrong type', { password: [SECRET] }],
    ['a Buffer', { password: Buffer.from(SECRET) }],
    ['in the place of a number', { connectionLimit: SECRET }],
    ['in the place of a choice', { logLevel: SECRET }],
    ['in the place of a time zone', { timezone: SECRET }],
  ])('never stands in an error: %s', (_case, options) => {
    const error = refusal(options);
    const everything = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
    expect(everything).not.toContain(SECRET);
    expect(error.cause).toBeUndefined();
  });

  it('never stands in an error, also where it is a number', () => {
    expect(refusal({ password: 31_337 }).message).not.toContain('31337');
    expect(() => resolveOptions('mysql://h/d?password=31337')).not.toThrow();
  });
});
