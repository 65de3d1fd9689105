import { connect, type Socket } from 'node:net';
import { CommandReader, type Command } from './mysql-wire';

/** Who decides what becomes of the traffic. */
export interface Traffic {
  latency(): number;
  /** False: the command is kept from the server. */
  passes(command: Command, pair: ProxiedPair): boolean;
}

/** One direction of a connection: what arrives goes on in order, after the latency of its moment. */
class Direction {
  readonly #queue: { readonly due: number; readonly act: () => void }[] = [];
  readonly #latency: () => number;
  #timer: NodeJS.Timeout | undefined;
  #held = false;

  constructor(latency: () => number) {
    this.#latency = latency;
  }

  push(act: () => void): void {
    const latency = this.#latency();
    this.#queue.push({ due: performance.now() + latency, act });
    this.#flush();
  }

  hold(): void {
    this.#held = true;
  }

  /** Lets go on what was held, at once. */
  goOn(): void {
    this.#held = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { act } of this.#queue.splice(0)) act();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #flush(): void {
    if (this.#held || this.#timer !== undefined) return;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const left = first.due - performance.now();
      if (left > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#flush();
        }, left);
        return;
      }
      this.#queue.shift();
      first.act();
    }
  }
}

/** A client's connection and the one to the server that stands behind it. */
export class ProxiedPair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #toServer: Direction;
  readonly #toClient: Direction;
  #onAnswer: (() => void) | undefined;
  #swallowing = false;
  #losing = false;
  #held = false;

  constructor(
    client: Socket,
    target: { readonly host: string; readonly port: number },
    traffic: Traffic,
    gone: () => void,
  ) {
    const server = connect(target);
    this.#client = client;
    this.#server = server;
    this.#toServer = new Direction(() => traffic.latency());
    this.#toClient = new Direction(() => traffic.latency());
    client.setNoDelay(true);
    server.setNoDelay(true);
    const reader = new CommandReader();
    client.on('data', (chunk) => {
      for (const command of reader.read(chunk)) {
        if (!traffic.passes(command, this)) this.#losing = true;
      }
      if (!this.#losing) this.#toServer.push(() => passOn(chunk, client, server));
    });
    server.on('data', (chunk) => {
      if (!this.#swallowing) this.#toClient.push(() => passOn(chunk, server, client));
      this.#onAnswer?.();
      this.#onAnswer = undefined;
    });
    client.on('drain', () => this.#readOn(server));
    server.on('drain', () => this.#readOn(client));
    client.on('end', () => this.#toServer.push(() => server.end()));
    server.on('end', () => this.#toClient.push(() => client.end()));
    // A side that broke breaks the other; an orderly end has been passed on above.
    client.on('error', () => breakOff(server));
    server.on('error', () => breakOff(client));
    let open = 2;
    const closed = (): void => {
      // Nothing is to be waited for any more.
      this.#readOn(client);
      this.#readOn(server);
      if (--open > 0) return;
      this.#toServer.end();
      this.#toClient.end();
      gone();
    };
    client.on('close', closed);
    server.on('close', closed);
  }

  cut(): void {
    this.goOn();
    this.#client.destroySoon();
    this.#server.destroySoon();
  }

  reset(): void {
    breakOff(this.#client);
    breakOff(this.#server);
  }

  hold(): void {
    this.#held = true;
    this.#toServer.hold();
    this.#toClient.hold();
    this.#client.pause();
    this.#server.pause();
  }

  goOn(): void {
    this.#held = false;
    this.#toServer.goOn();
    this.#toClient.goOn();
    this.#client.resume();
    this.#server.resume();
  }

  #readOn(socket: Socket): void {
    if (!this.#held) socket.resume();
  }

  /** From now on nothing of the server's reaches the client; `onAnswer` is told of the first. */
  swallowAnswers(onAnswer: () => void): void {
    this.#swallowing = true;
    this.#onAnswer = onAnswer;
  }
}

/** Reads no more from one side than the other takes, as the network does. */
function passOn(chunk: Buffer, from: Socket, to: Socket): void {
  if (!to.write(chunk) && !to.destroyed) from.pause();
}

/** RST; a socket that has said FIN can only be closed: Node would lose its handle, open for ever. */
function breakOff(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
