export { provideServer, type ServerOptions } from './provide-server';
export type { Flavour, ServerContext, ServerHandle, ServerStep } from './server-handle';
export { serverKinds } from './server-kinds';
export { ServerStartError } from './server-start-error';
export { ServerUnavailableError } from './server-unavailable-error';
