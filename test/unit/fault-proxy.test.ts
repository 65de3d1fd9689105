import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { deferred } from '../support/deferred';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { CommandReader } from '../support/mysql-wire';

/** A command packet: three bytes of length, the sequence number, the kind, the text. */
function packet(kind: number, text: string, sequence = 0): Buffer {
  const payload = Buffer.concat([Buffer.from([kind]), Buffer.from(text)]);
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, payload]);
}

const query = (text: string): Buffer => packet(0x03, text);

/** A client that collects what it is told. */
class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  readonly ended: Promise<unknown>;
  error: NodeJS.ErrnoException | undefined;
  received = Buffer.alloc(0);
  #waiting: (() => void) | undefined;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port });
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.ended = new Promise((resolve) => this.socket.once('end', resolve));
    this.socket.on('error', (error) => (this.error = error));
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#waiting?.();
    });
  }

  async heard(bytes: Buffer): Promise<void> {
    while (!this.received.includes(bytes)) {
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }
}

describe('the fault proxy', () => {
  let echo: Server;
  let proxy: FaultProxy;
  const served: Socket[] = [];
  const clients: Client[] = [];
  let atServer = Buffer.alloc(0);

  async function connected(): Promise<Client> {
    const client = new Client(proxy.port);
    clients.push(client);
    client.send(query('HELLO'));
    await client.heard(query('HELLO'));
    return client;
  }

  beforeEach(async () => {
    atServer = Buffer.alloc(0);
    echo = createServer((socket) => {
      served.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        atServer = Buffer.concat([atServer, chunk]);
        socket.write(chunk);
      });
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await startProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
  });

  afterEach(async () => {
    await proxy.close();
    for (const socket of served.splice(0)) socket.destroy();
    for (const { socket } of clients.splice(0)) socket.destroy();
    echo.close();
    await once(echo, 'close');
  });

  it('passes bytes both ways and counts connections', async () => {
    const client = await connected();
    await connected();
    expect([proxy.connections, proxy.accepted]).toEqual([2, 2]);
    expect(proxy.statements).toEqual(['HELLO', 'HELLO']);
    client.socket.end();
    await client.closed;
  });

  it('ends connections in an orderly way on cut()', async () => {
    const client = await connected();
    const atEnd = once(served[0]!, 'end');
    proxy.cut();
    await Promise.all([client.ended, atEnd]);
    expect(client.error).toBeUndefined();
  });

  it('breaks connections on reset()', async () => {
    const client = await connected();
    proxy.reset();
    await client.closed;
    expect(client.error?.code).toBe('ECONNRESET');
  });

  it('lets connections through after cut() and reset()', async () => {
    await connected();
    proxy.cut();
    await connected();
    proxy.reset();
    await connected();
    expect(proxy.accepted).toBe(3);
  });

  it('holds bytes back in a black hole, old and new connections alike, until heal()', async () => {
    const old = await connected();
    proxy.blackHole();
    old.send(query('LATER'));
    const young = new Client(proxy.port);
    clients.push(young);
    await once(young.socket, 'connect');
    young.send(query('YOUNG'));
    // Another way to the server shows that time enough has passed.
    const direct = new Client((echo.address() as AddressInfo).port);
    clients.push(direct);
    direct.send(query('DIRECT'));
    await direct.heard(query('DIRECT'));
    expect(atServer.includes('LATER')).toBe(false);
    expect(old.socket.closed).toBe(false);
    await proxy.heal();
    await Promise.all([old.heard(query('LATER')), young.heard(query('YOUNG'))]);
  });

  it.each(['silence', 'cut', 'reset'] as const)(
    'lets a statement through and swallows its answer, then %s',
    async (then) => {
      const client = await connected();
      const trap = proxy.swallow(/^COMMIT/, then);
      client.send(query('SELECT 1'));
      await client.heard(query('SELECT 1'));
      client.send(query('COMMIT'));
      await trap.seen;
      await trap.sprung;
      expect(atServer.includes('COMMIT')).toBe(true);
      if (then === 'silence') {
        expect(client.socket.closed).toBe(false);
      } else {
        await (then === 'cut' ? client.ended : client.closed);
        expect(client.error?.code).toBe(then === 'cut' ? undefined : 'ECONNRESET');
      }
      expect(client.received.includes('COMMIT')).toBe(false);
    },
  );

  it('keeps a statement from the server on lose()', async () => {
    const client = await connected();
    const trap = proxy.lose(/INSERT/, 'cut');
    client.send(query('INSERT INTO t'));
    await trap.sprung;
    await client.ended;
    expect(atServer.includes('INSERT')).toBe(false);
  });

  it('springs a trap once, for one connection only', async () => {
    const [first, second] = [await connected(), await connected()];
    const trap = proxy.swallow('next', 'cut');
    first.send(query('A'));
    await trap.sprung;
    await first.ended;
    second.send(query('A'));
    await second.heard(query('A'));
  });

  it('catches an execution by its kind, and none once the trap is removed', async () => {
    const client = await connected();
    proxy.swallow('execute', 'reset').remove();
    client.send(packet(0x17, 'handle'));
    await client.heard(packet(0x17, 'handle'));
    const trap = proxy.swallow('execute', 'reset');
    client.send(query('execute'));
    await client.heard(query('execute'));
    client.send(packet(0x17, 'handle'));
    await trap.seen;
    await client.closed;
  });

  it('tells of a statement that comes by', async () => {
    const client = await connected();
    const seen = proxy.saw(/SLEEP/);
    client.send(query('SELECT SLEEP(9)'));
    await seen;
    await client.heard(query('SELECT SLEEP(9)'));
  });

  it('delays every byte, in order', async () => {
    const client = await connected();
    proxy.delay(20);
    const begun = performance.now();
    client.send(query('ONE'));
    client.send(query('TWO'));
    await client.heard(Buffer.concat([query('ONE'), query('TWO')]));
    expect(performance.now() - begun).toBeGreaterThan(35);
  });

  it('refuses new connections until heal(), on the same port, and keeps the open ones', async () => {
    const old = await connected();
    const { port } = proxy;
    proxy.refuse();
    const refused = new Client(port);
    await refused.closed;
    expect(refused.error?.code).toBe('ECONNREFUSED');
    old.send(query('STILL HERE'));
    await old.heard(query('STILL HERE'));
    await proxy.heal();
    expect(proxy.port).toBe(port);
    await connected();
  });

  it('passes on the end of either side', async () => {
    const client = await connected();
    served[0]!.end();
    await client.ended;
    const other = await connected();
    const gone = deferred();
    served[1]!.once('end', () => gone.resolve());
    other.socket.end();
    await gone.promise;
  });
});

describe('the command reader', () => {
  const bytes = Buffer.concat([
    packet(0x00, 'handshake reply', 1),
    query('SELECT 1'),
    packet(0x16, 'SELECT ?'),
    packet(0x17, '\u0001'),
    packet(0x03, '\0\u0001COMMIT'),
    packet(0x0e, ''),
    packet(0x01, ''),
  ]);
  const commands = [
    { kind: 'query', text: 'SELECT 1' },
    { kind: 'prepare', text: 'SELECT ?' },
    { kind: 'execute', text: '' },
    { kind: 'query', text: 'COMMIT' },
    { kind: 'ping', text: '' },
    { kind: 'quit', text: '' },
  ];

  it.each([1, 2, 3, 5, 7, 1000])('finds the same commands in chunks of %d bytes', (size) => {
    const reader = new CommandReader();
    const found: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      found.push(...reader.read(bytes.subarray(at, at + size)));
    }
    expect(found).toEqual(commands);
  });

  it('passes over the body of a long packet and keeps its beginning', () => {
    const long = 'INSERT ' + 'x'.repeat(200_000);
    const reader = new CommandReader();
    const [first, second] = reader.read(Buffer.concat([query(long), query('COMMIT')]));
    expect(first?.text.length).toBeLessThanOrEqual(65_536);
    expect(first?.text.startsWith('INSERT x')).toBe(true);
    expect(second?.text).toBe('COMMIT');
  });
});
