/// <reference lib="esnext.disposable" preserve="true" />
export { monitor, type Monitor } from './monitor';
export type { MonitorOptions } from './options';
export { openTelemetry, type OpenTelemetryOptions } from './open-telemetry';
export type { HealthReport } from './health-report';
export type { MonitoredDatabase, MonitoredDatabases } from './source';
export type { HolderState, InstrumentState, MonitorState, PoolState } from './state';
