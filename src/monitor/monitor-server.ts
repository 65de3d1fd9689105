import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { internals } from '../internals';
import { Access } from './access';
import { EventStreams } from './event-stream';
import type { Observatory } from './observatory';
import type { ResolvedMonitorOptions } from './options';
import { dashboard } from './page';
import { guard, reply, replyJson } from './reply';

const { detached, systemClock } = internals;

type Answer = (response: ServerResponse) => Promise<void> | void;

const BEARER = { 'WWW-Authenticate': 'Bearer realm="mysql-boomerang"' };

/** Who has asked for the state lately, in ms, is looking. */
const LOOKS_FOR = 10_000;

/** Serves what an observatory sees. Read-only: there is nothing here that changes anything. */
export class MonitorServer {
  readonly #observatory: Observatory;
  readonly #options: ResolvedMonitorOptions;
  readonly #access: Access;
  readonly #streams = new EventStreams();
  readonly #server: Server;
  readonly #open: Readonly<Record<string, Answer>>;
  readonly #guarded: Readonly<Record<string, Answer>>;
  #askedAt = -Infinity;
  #timer: { cancel(): void } | undefined;
  #closing: Promise<void> | undefined;

  constructor(observatory: Observatory, options: ResolvedMonitorOptions) {
    this.#observatory = observatory;
    this.#options = options;
    this.#access = new Access(options.token);
    this.#open = {
      '/health': (response) => this.#health(response),
      '/health/ready': (response) => this.#health(response),
      '/health/live': (response) => replyJson(response, 200, { live: true }),
    };
    this.#guarded = {
      '/': (response) => showPage(response, 200),
      '/metrics': (response) => this.#metrics(response),
      '/api/state': (response) => this.#state(response),
      '/api/events': (response) => this.#events(response),
    };
    this.#server = createServer((request, response) => void this.#answer(request, response));
    // Whoever watches a program does not keep it alive: neither by listening, nor by an open page.
    this.#server.on('connection', (socket) => socket.unref());
  }

  /** Listens, and resolves to the address for browsers. */
  async listen(): Promise<string> {
    const { host, port } = this.#options;
    await detached(
      () =>
        new Promise<void>((resolve, reject) => {
          this.#server.once('error', reject);
          this.#server.listen(port, host, resolve);
        }),
    );
    this.#server.unref();
    this.#arm();
    const { address, family, port: actual } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`;
  }

  /** Ends every answer, also those that go on; a second call gives the first one's promise. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#timer?.cancel();
      this.#streams.close();
      this.#server.close(() => resolve());
      // Kept-alive connections, and readers that do not read, would hold it up for ever.
      this.#server.closeAllConnections();
    });
    return this.#closing;
  }

  #arm(): void {
    this.#timer = systemClock.setTimer(() => this.#tick(), this.#options.interval);
  }

  #tick(): void {
    this.#arm();
    this.#observatory.sample();
    const looked = systemClock.now() - this.#askedAt < LOOKS_FOR;
    if (this.#streams.size > 0 || looked) void this.#observatory.inquire();
    if (this.#streams.size > 0) this.#streams.sendAll('state', this.#observatory.state('newest'));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    guard(response);
    try {
      await this.#route(request)(response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else replyJson(response, 500, { error: (error as Error).name });
    }
  }

  /** What answers the request. */
  #route({ url = '', method, headers }: IncomingMessage): Answer {
    const [path = ''] = url.split('?');
    if (method !== 'GET' && method !== 'HEAD')
      return refused(405, 'read-only', { Allow: 'GET, HEAD' });
    const open = own(this.#open, path);
    if (open !== undefined) return open;
    const refusal = this.#access.refusal(headers);
    if (refusal === 'foreign host') return refused(403, refusal);
    if (refusal !== undefined) return path === '/' ? logIn : refused(401, refusal, BEARER);
    const guarded = own(this.#guarded, path);
    if (guarded === undefined) return refused(404, 'not found');
    return method === 'HEAD' && path === '/api/events' ? refused(200, 'none') : guarded;
  }

  async #health(response: ServerResponse): Promise<void> {
    const report = await this.#observatory.health();
    replyJson(response, report.ready ? 200 : 503, report);
  }

  async #metrics(response: ServerResponse): Promise<void> {
    reply(response, 200, this.#observatory.metricsType, await this.#observatory.metrics());
  }

  async #state(response: ServerResponse): Promise<void> {
    this.#askedAt = systemClock.now();
    await this.#observatory.inquire();
    replyJson(response, 200, this.#observatory.state('whole'));
  }

  #events(response: ServerResponse): void {
    if (this.#streams.full) {
      replyJson(response, 503, { error: 'too many streams' });
      return;
    }
    this.#streams.add(response);
    this.#streams.send(response, 'state', this.#observatory.state('whole'));
    void this.#observatory.inquire();
  }
}

/** The page; it shows nothing before it has asked for it. */
function showPage(response: ServerResponse, status: number): void {
  const { html, policy } = dashboard();
  reply(response, status, 'text/html; charset=utf-8', html, { 'Content-Security-Policy': policy });
}

/** A browser cannot present a token before it has the page that asks for it. */
const logIn: Answer = (response) => {
  for (const [name, value] of Object.entries(BEARER)) response.setHeader(name, value);
  showPage(response, 401);
};

function refused(
  status: number,
  error: string,
  headers?: Readonly<Record<string, string>>,
): Answer {
  return (response) => replyJson(response, status, { error }, headers);
}

function own(answers: Readonly<Record<string, Answer>>, path: string): Answer | undefined {
  return Object.hasOwn(answers, path) ? answers[path] : undefined;
}
