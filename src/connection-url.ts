import { DRIVER_RULES } from './driver-options';
import { text } from './option-rules';
import { ConfigurationError, describe } from './errors';

/**
 * The options in a URL: its parts, then its query as `option=value` (JSON where it parses).
 *
 * The parsers' own messages quote their input, and with it the password: none is passed on.
 *
 * @throws {ConfigurationError} naming `uri`.
 */
export function optionsFromUrl(uri: string): Record<string, unknown> {
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    throw new ConfigurationError('uri', `must be a URL, got ${describe(uri)}`);
  }
  if (!['mysql:', 'mariadb:', 'mysql2:'].includes(url.protocol)) {
    throw new ConfigurationError('uri', 'must begin with mysql:// or mariadb://');
  }
  try {
    return parts(url);
  } catch {
    throw new ConfigurationError('uri', 'has a part that is not percent-encoded properly');
  }
}

function parts(url: URL): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  if (url.hostname !== '')
    options['host'] = decodeURIComponent(url.hostname.replace(/^\[|\]$/g, ''));
  if (url.port !== '') options['port'] = Number(url.port);
  if (url.username !== '') options['user'] = decodeURIComponent(url.username);
  if (url.password !== '') options['password'] = decodeURIComponent(url.password);
  if (url.pathname.length > 1) options['database'] = decodeURIComponent(url.pathname.slice(1));
  if (url.hash !== '') {
    throw new ConfigurationError('uri', "has a '#', which must be written %23");
  }
  for (const [name, value] of url.searchParams) {
    // A '?' in a password begins the query: what follows is not to be quoted.
    if (!/^\w+$/.test(name)) {
      throw new ConfigurationError(
        'uri',
        "has a query that is no option=value; is a '?' in it to be %3F?",
      );
    }
    if (Object.hasOwn(options, name)) continue;
    // What is a text stays one, be it made of digits.
    if (DRIVER_RULES[name as keyof typeof DRIVER_RULES] === text || name.startsWith('password')) {
      options[name] = value;
      continue;
    }
    try {
      options[name] = JSON.parse(value);
    } catch {
      options[name] = value;
    }
  }
  return options;
}
