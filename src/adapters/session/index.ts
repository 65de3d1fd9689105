export { SessionStore, type SessionStoreOptions } from './session-store';
