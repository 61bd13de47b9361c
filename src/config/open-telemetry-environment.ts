/**
 * OpenTelemetry's standard variables (OpenTelemetry specification, "Environment Variable Specification" and "OTLP
 * Exporter Configuration"), for a configuration with `telemetry.environment: true`. Settings of the file win over them.
 * The exporters themselves read headers, certificates and compression.
 */
import type { OtlpMetricsConfiguration, OtlpReceiverConfiguration, TracingConfiguration } from './configuration.js';

/** The exports that the variables set up. A signal that is null is not sent. */
export interface OpenTelemetryEnvironment {
  serviceName: string | null;
  tracing: TracingConfiguration | null;
  metrics: OtlpMetricsConfiguration | null;
  logs: OtlpReceiverConfiguration | null;
}

/** No exports: for a configuration that does not honour the variables. */
export const noOpenTelemetryEnvironment: OpenTelemetryEnvironment = {
  serviceName: null,
  tracing: null,
  metrics: null,
  logs: null,
};

type Signal = 'TRACES' | 'METRICS' | 'LOGS';
const signals: readonly Signal[] = ['TRACES', 'METRICS', 'LOGS'];

/** The specification's default, in milliseconds. */
const defaultExportIntervalMs = 60_000;

/** Share of the requests, and whether callers decide, of each `OTEL_TRACES_SAMPLER`. Null: the share is its argument. */
const samplers: Readonly<Record<string, { ratio: number | null; followCallers: boolean }>> = {
  always_on: { ratio: 1, followCallers: false },
  always_off: { ratio: 0, followCallers: false },
  traceidratio: { ratio: null, followCallers: false },
  parentbased_always_on: { ratio: 1, followCallers: true },
  parentbased_always_off: { ratio: 0, followCallers: true },
  parentbased_traceidratio: { ratio: null, followCallers: true },
};
const defaultSampler = 'parentbased_always_on';

/** Reads the variables. Values that `openTelemetryEnvironmentProblems` refuses are left out. */
export function readOpenTelemetryEnvironment(environment: NodeJS.ProcessEnv): OpenTelemetryEnvironment {
  if (environment['OTEL_SDK_DISABLED'] === 'true') return noOpenTelemetryEnvironment;
  const metrics = receiverOf('METRICS', environment);
  const intervalMs = Number(environment['OTEL_METRIC_EXPORT_INTERVAL'] ?? defaultExportIntervalMs);
  const traces = receiverOf('TRACES', environment);
  return {
    serviceName: environment['OTEL_SERVICE_NAME'] ?? null,
    tracing: traces === null ? null : { ...traces, ...samplingOf(environment) },
    metrics: metrics === null ? null : { ...metrics, intervalMs },
    logs: receiverOf('LOGS', environment),
  };
}

/**
 * Reports values that are not a URL, not a number in range, or ask for something that is not built in: ignoring them
 * would mislead.
 */
export function openTelemetryEnvironmentProblems(environment: NodeJS.ProcessEnv): string[] {
  const interval = environment['OTEL_METRIC_EXPORT_INTERVAL'];
  const sampler = environment['OTEL_TRACES_SAMPLER'];
  const ratio = environment['OTEL_TRACES_SAMPLER_ARG'];
  return [
    ...signals.flatMap((signal) => signalProblems(signal, environment)),
    ...(interval === undefined || isIn(interval, 1_000, 3_600_000)
      ? []
      : ['OTEL_METRIC_EXPORT_INTERVAL must be from 1000 to 3600000 milliseconds']),
    ...(sampler === undefined || sampler in samplers
      ? []
      : [`OTEL_TRACES_SAMPLER must be one of ${Object.keys(samplers).join(', ')}`]),
    ...(ratio === undefined || isIn(ratio, 0, 1) ? [] : ['OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1']),
  ];
}

function signalProblems(signal: Signal, environment: NodeJS.ProcessEnv): string[] {
  const exporter = environment[`OTEL_${signal}_EXPORTER`];
  const protocol =
    environment[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`] ?? environment['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? spoken;
  const endpoint = endpointOf(signal, environment);
  return [
    ...(exporter === undefined || exporter === 'otlp' || exporter === 'none'
      ? []
      : [`OTEL_${signal}_EXPORTER must be otlp or none`]),
    ...(protocol === spoken ? [] : [`the protocol of OTLP for ${signal} must be ${spoken}`]),
    ...(endpoint === undefined || isHttpUrl(endpoint)
      ? []
      : [`the endpoint of OTLP for ${signal} must be an http or https URL without user and password`]),
  ];
}

const spoken = 'http/protobuf';

function receiverOf(signal: Signal, environment: NodeJS.ProcessEnv): OtlpReceiverConfiguration | null {
  if (environment[`OTEL_${signal}_EXPORTER`] === 'none') return null;
  const endpoint = endpointOf(signal, environment);
  return endpoint === undefined ? null : { endpoint, headers: [] };
}

/** Nothing is sent to the specification's default, port 4318 of this machine, unless a variable asks for it. */
function endpointOf(signal: Signal, environment: NodeJS.ProcessEnv): string | undefined {
  const own = environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`];
  if (own !== undefined) return own;
  const shared = environment['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const base = shared ?? (environment[`OTEL_${signal}_EXPORTER`] === 'otlp' ? 'http://127.0.0.1:4318' : undefined);
  return base === undefined ? undefined : `${base.replace(/\/$/, '')}/v1/${signal.toLowerCase()}`;
}

function samplingOf(environment: NodeJS.ProcessEnv): Pick<TracingConfiguration, 'sampleRatio' | 'followCallers'> {
  const sampler = samplers[environment['OTEL_TRACES_SAMPLER'] ?? defaultSampler];
  const { ratio, followCallers } = sampler ?? { ratio: 0, followCallers: false };
  return { sampleRatio: ratio ?? Number(environment['OTEL_TRACES_SAMPLER_ARG'] ?? 1), followCallers };
}

function isIn(value: string, minimum: number, maximum: number): boolean {
  const number = Number(value);
  return value.trim() !== '' && number >= minimum && number <= maximum;
}

function isHttpUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}
