import { connect } from 'node:net';
import {
  provideRedis,
  type RedisHandle,
  ServerStartError,
  ServerUnavailableError,
} from '../../scripts/server';
import { describeUnpacked, FakePrograms, isAlive, START_MS } from './support';

jest.setTimeout(START_MS);

/** Sends commands in Redis's own protocol and returns the answers' bytes, up to as many as are expected. */
async function speak(redis: RedisHandle, commands: string[][], length: number): Promise<string> {
  const socket = connect(redis.port, redis.host);
  try {
    for (const command of commands) {
      const words = command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      socket.write(`*${words.length}\r\n${words.join('')}`);
    }
    let answer = '';
    socket.setEncoding('utf8');
    for await (const words of socket as AsyncIterable<string>) {
      answer += words;
      if (answer.length >= length) break;
    }
    return answer;
  } finally {
    socket.destroy();
  }
}

describeUnpacked('a private Redis', 'redis-server')('a private Redis', () => {
  let redis: RedisHandle | undefined;

  beforeAll(async () => {
    try {
      redis = await provideRedis();
    } catch (error) {
      if (!(error instanceof ServerUnavailableError)) throw error;
      process.stdout.write(`skipped: no tests on Redis: ${error.message}\n`);
    }
  });

  afterAll(() => redis?.stop());

  it('answers on 127.0.0.1 in its own protocol', async () => {
    if (redis === undefined) return;
    const commands = [['PING'], ['SET', 'key', 'välue'], ['GET', 'key']];
    const expected = '+PONG\r\n+OK\r\n$6\r\nvälue\r\n';
    expect(await speak(redis, commands, expected.length)).toBe(expected);
    expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`);
  });

  it('keeps nothing on disk', async () => {
    if (redis === undefined) return;
    const commands = [
      ['CONFIG', 'GET', 'save'],
      ['CONFIG', 'GET', 'appendonly'],
    ];
    const expected = '*2\r\n$4\r\nsave\r\n$0\r\n\r\n*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n';
    expect(await speak(redis, commands, expected.length)).toBe(expected);
  });

  it('leaves nothing after stop(), which may be called twice', async () => {
    if (redis === undefined) return;
    const { pid = 0, keeperPid = 0 } = redis;
    expect([pid, keeperPid].map(isAlive)).toEqual([true, true]);
    expect(redis.stop()).toBe(redis.stop());
    await redis.stop();
    expect([pid, keeperPid].map(isAlive)).toEqual([false, false]);
  });
});

describe('provideRedis()', () => {
  let fakes: FakePrograms;

  beforeEach(() => {
    fakes = new FakePrograms();
  });

  afterEach(() => fakes.remove());

  it('gives the reason where there is neither a redis-server nor a way to unpack one', async () => {
    const asked = provideRedis({ env: { PATH: fakes.folder } });
    await expect(asked).rejects.toThrow(ServerUnavailableError);
    await expect(asked).rejects.toThrow(/^redis: /);
  });

  it('gives the end of the log of one that does not start', async () => {
    fakes.add('redis-server', 'echo no such luck; exit 1');
    const asked = provideRedis({ env: { PATH: fakes.folder } });
    await expect(asked).rejects.toThrow(ServerStartError);
    await expect(asked).rejects.toThrow(/ended while starting[\s\S]*no such luck/);
  });
});
