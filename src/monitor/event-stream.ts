import type { ServerResponse } from 'node:http';

/** Streams at a time: each is somebody's open page. */
const MOST = 32;

/** What a reader may leave unread in bytes before it misses events. */
const UNREAD = 1 << 20;

/** How many events in a row a reader may miss before it is taken for gone. */
const MISSED = 60;

/** The pages that follow along, by server-sent events. */
export class EventStreams {
  /** With how many events each has missed in a row. */
  readonly #open = new Map<ServerResponse, number>();

  get size(): number {
    return this.#open.size;
  }

  get full(): boolean {
    return this.#open.size >= MOST;
  }

  /** Sends events from now on, until the reader leaves or {@link close}. */
  add(response: ServerResponse): void {
    this.#open.set(response, 0);
    response.on('close', () => this.#open.delete(response));
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
  }

  /** To one of them. */
  send(response: ServerResponse, name: string, data: object): void {
    this.#write(response, textOf(name, data));
  }

  sendAll(name: string, data: object): void {
    const text = textOf(name, data);
    for (const response of this.#open.keys()) this.#write(response, text);
  }

  close(): void {
    for (const response of this.#open.keys()) response.end();
  }

  /** Of what a slow reader does not keep up with it misses some: the next event tells all anew. */
  #write(response: ServerResponse, text: string): void {
    if (response.writableLength < UNREAD) {
      this.#open.set(response, 0);
      response.write(text);
      return;
    }
    const missed = (this.#open.get(response) ?? 0) + 1;
    this.#open.set(response, missed);
    // A page that was put to sleep: its place is somebody else's, and it asks again when it wakes up.
    if (missed >= MISSED) response.destroy();
  }
}

function textOf(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
