import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventStreams } from '../../src/monitor/event-stream';
import { begun } from '../support/monitor-bench';
import { until } from '../support/until';

/** Of which a few fill all there is between the two ends. */
const MUCH = { text: 'x'.repeat(1 << 20) };

describe('event streams', () => {
  const streams = new EventStreams();
  let last: ServerResponse | undefined;
  const server = createServer((_, response) => {
    last = response;
    streams.add(response);
  });
  const open = async () => {
    const { port } = server.address() as AddressInfo;
    const reader = await begun(`http://127.0.0.1:${port}/`);
    // As it is cut off: no error here.
    reader.on('error', () => {});
    return reader;
  };

  beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('of a reader that reads nothing are ended, and its place is free', async () => {
    const reader = await open();
    reader.pause();
    expect(streams.size).toBe(1);
    await until('it is taken for gone', () => {
      streams.sendAll('state', MUCH);
      return streams.size === 0;
    });
    reader.destroy();
  });

  it('of one that reads by fits and starts go on: it misses some', async () => {
    const reader = await open();
    for (const _ of [1, 2, 3]) {
      reader.pause();
      for (let event = 0; event < 50; event++) streams.sendAll('state', MUCH);
      reader.resume();
      await once(last!, 'drain');
    }
    expect(streams.size).toBe(1);
    reader.destroy();
    await until('it has left', () => streams.size === 0);
  });
});
