import type { HashCommands } from './hash-commands';
import type { NameForm } from './store-options';

/** The commands that a pipeline takes. */
export const COMMANDS = [
  ...['get', 'set', 'setNx', 'getSet', 'getDelete', 'deleteIfEqual', 'setIfEqual', 'mget', 'mset'],
  ...['delete', 'exists', 'expire', 'persist', 'ttl', 'getOrCreateSecret'],
  ...['incrBy', 'decrBy', 'incrByFloat', 'nextId', 'tokenBucket'],
  ...['sadd', 'srem', 'smembers', 'sismember', 'scard', 'spop'],
  ...['zadd', 'zincrBy', 'zrem', 'zscore', 'zrank', 'zcard', 'zcount', 'zrange', 'zrevrange'],
  ...['zrangeByScore', 'zpopMin', 'zpopMax', 'zremRangeByScore'],
  ...['hset', 'hget', 'hgetAll', 'hdel', 'hincrBy', 'hlen'],
] as const satisfies readonly (keyof HashCommands<NameForm>)[];

export type Command = (typeof COMMANDS)[number];

/** A command that was collected. */
export interface Step {
  readonly command: Command;
  readonly args: readonly unknown[];
}

/** Of a command that can be called in several ways, what its participant takes. */
type Arguments<Form extends NameForm, Name extends Command> = Parameters<
  HashCommands<Form>[Name extends 'zadd' | 'hset' ? `_${Name}` : Name]
>;
type Reply<Form extends NameForm, Name extends Command> = Awaited<
  ReturnType<HashCommands<Form>[Name]>
>;

/**
 * Commands that are collected, and sent by `exec()` in their order over one connection: gets that
 * follow each other in one statement, and so sets; each other one as it would be sent alone.
 */
export type StorePipeline<Form extends NameForm, Replies extends readonly unknown[] = []> = {
  readonly [Name in Command]: (
    ...args: Arguments<Form, Name>
  ) => StorePipeline<Form, [...Replies, Reply<Form, Name>]>;
} & {
  /**
   * Sends what was collected, and resolves to the replies in order. A command that fails ends it: those
   * before it are done, those behind it are not, unless it is inside `db.atomic`.
   */
  exec(): Promise<Replies>;
};

/** A pipeline that has collected nothing yet. */
export function pipelineOf<Form extends NameForm>(
  send: (steps: readonly Step[]) => Promise<unknown[]>,
): StorePipeline<Form> {
  const steps: Step[] = [];
  const collecting = COMMANDS.map((command) => [
    command,
    (...args: unknown[]) => {
      steps.push({ command, args });
      return pipeline;
    },
  ]);
  const pipeline = {
    ...Object.fromEntries(collecting),
    exec: () => send(steps.splice(0)),
  } as StorePipeline<Form>;
  return pipeline;
}

/** Steps cut into those that can be sent together: only what stands side by side keeps its order. */
export function runsOf(steps: readonly Step[]): Step[][] {
  const runs: Step[][] = [];
  for (const step of steps) {
    const run = runs.at(-1);
    const joins = step.command === 'get' || step.command === 'set';
    if (run !== undefined && joins && run[0]?.command === step.command) run.push(step);
    else runs.push([step]);
  }
  return runs;
}
