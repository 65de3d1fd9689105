import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A proxy behind which a connect takes its time, and all that follows does not. */
export class SlowConnectProxy {
  readonly host = '127.0.0.1';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #accepted = 0;

  private constructor(target: { readonly host: string; readonly port: number }, delay: number) {
    this.#server = createServer((client) => {
      this.#accepted++;
      this.#keep(client);
      // The server speaks first, so a client waits for the greeting.
      setTimeout(() => this.#join(client, target), delay);
    });
  }

  /** @param delay ms from accepting a connection to the server's greeting. */
  static async start(
    target: { readonly host: string; readonly port: number },
    delay: number,
  ): Promise<SlowConnectProxy> {
    const proxy = new SlowConnectProxy(target, delay);
    proxy.#server.listen(0, proxy.host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections accepted so far. */
  get accepted(): number {
    return this.#accepted;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, target: { readonly host: string; readonly port: number }): void {
    if (client.destroyed) return;
    const server = connect(target);
    this.#keep(server);
    server.setNoDelay(true);
    client.pipe(server).pipe(client);
    client.once('close', () => server.destroy());
    server.once('close', () => client.destroy());
  }

  #keep(socket: Socket): void {
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    // What breaks is closed; its other half follows.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
