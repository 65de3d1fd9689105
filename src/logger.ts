import { types } from 'node:util';
import pino from 'pino';

/** The fields of a structured line. Never a bound value, a password or a key of the user's. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Any pino instance fits, and so does a fake of four functions. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const nothing = (): void => {};

/** Says nothing: the default. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};

/**
 * The same logger, which never throws: a destination that broke must not break statements, and what
 * is thrown inside a timer would end the process.
 */
export function safeLogger(logger: Logger): Logger {
  const safely =
    (level: keyof Logger) =>
    (fields: LogFields, message: string): void => {
      try {
        logger[level](fields, message);
      } catch {
        // There is nowhere left to say it.
      }
    };
  return {
    debug: safely('debug'),
    info: safely('info'),
    warn: safely('warn'),
    error: safely('error'),
  };
}

/** A pino logger that writes JSON lines to standard output from `level` upwards. */
export function createLogger(level: LogLevel): Logger {
  return level === 'silent' ? silentLogger : pino({ name: 'mysql-boomerang', level });
}

/**
 * An error as log fields: its type, code and number only. Messages of the server quote values
 * ("Duplicate entry '…'"), so they stay out of logs.
 */
export function errorFields(error: unknown): LogFields {
  if (!types.isNativeError(error)) return { errorType: typeof error };
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  return {
    errorType: error.name,
    ...(typeof code === 'string' ? { errorCode: code } : {}),
    ...(typeof errno === 'number' ? { errorNumber: errno } : {}),
  };
}
