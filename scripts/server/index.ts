export { type GaleraCluster, type GaleraOptions, provideGalera } from './galera-cluster';
export { provideServer, type ServerOptions } from './provide-server';
export { provideRedis, type RedisHandle, type RedisOptions } from './redis-server';
export type { Flavour, ServerContext, ServerHandle, ServerStep } from './server-handle';
export { serverKinds } from './server-kinds';
export { ServerStartError } from './server-start-error';
export { ServerUnavailableError } from './server-unavailable-error';
