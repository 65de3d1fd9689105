/** Which family of server answers. Engines that speak MySQL's protocol count as `mysql`. */
export type Flavour = 'mariadb' | 'mysql';

/** What is being done to have a server, for a progress line. */
export interface ServerStep {
  readonly phase: 'find' | 'download' | 'unpack' | 'bootstrap' | 'start' | 'ready';
  readonly detail: string;
  /** How much of the phase is done, 0 to 1, where that is known. */
  readonly fraction?: number;
}

/** What a way of having a server gets to work with. */
export interface ServerContext {
  /** Arguments for the daemon, such as `--wait-timeout=2`; they win over `docker/server.cnf`. */
  readonly settings: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly log: (line: string) => void;
  readonly progress: (step: ServerStep) => void;
}

/** A running server with a database and an account of its own. Whoever asked for it calls `stop()`. */
export interface ServerHandle {
  readonly kind: string;
  readonly flavour: Flavour;
  /** The server's own `VERSION()`, such as `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string;
  /** One sentence saying where the server came from; holds no password. */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** `mysql://user:password@host:port/database`. Holds the password: do not print it where others read. */
  readonly url: string;
  /** Extra daemon arguments the server was started with. */
  readonly settings: readonly string[];
  /** Whether `shutdown`, `kill`, `start` and `restart` may be called; they reject otherwise. */
  readonly restartable: boolean;
  /** Pid of the daemon on this machine while one runs, where there is one. */
  readonly pid: number | undefined;
  /** Ends the server (SIGTERM) and resolves when it is gone. Data and port stay for `start()`. */
  shutdown(): Promise<void>;
  /** Ends the server as a crash would (SIGKILL) and resolves when it is gone. Data and port stay. */
  kill(): Promise<void>;
  /** Starts the server again, same port and same data, and resolves when it answers. */
  start(): Promise<void>;
  /** `shutdown()`, then `start()`. */
  restart(): Promise<void>;
  /** Ends the server for good and removes what it left. A second caller gets the first one's promise. */
  stop(): Promise<void>;
}
