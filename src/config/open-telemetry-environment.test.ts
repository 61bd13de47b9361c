import { describe, expect, it } from 'vitest';
import {
  noOpenTelemetryEnvironment,
  openTelemetryEnvironmentProblems,
  readOpenTelemetryEnvironment,
} from './open-telemetry-environment.js';

const base = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/' };

describe('the variables of OpenTelemetry', () => {
  it('send nothing unless one of them asks for it', () => {
    expect(readOpenTelemetryEnvironment({})).toEqual(noOpenTelemetryEnvironment);
    expect(readOpenTelemetryEnvironment({ ...base, OTEL_SDK_DISABLED: 'true' })).toEqual(noOpenTelemetryEnvironment);
  });

  it('have one endpoint for all signals, one for each signal, and a switch', () => {
    const environment = {
      ...base,
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'https://logs.example/otlp',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_SERVICE_NAME: 'kms',
    };
    expect(readOpenTelemetryEnvironment(environment)).toEqual({
      serviceName: 'kms',
      tracing: { endpoint: 'https://collector.example/v1/traces', headers: [], sampleRatio: 1, followCallers: true },
      metrics: null,
      logs: { endpoint: 'https://logs.example/otlp', headers: [] },
    });
  });

  it.each([
    ['always_on', undefined, 1, false],
    ['always_off', '0.5', 0, false],
    ['traceidratio', '0.25', 0.25, false],
    ['traceidratio', undefined, 1, false],
    ['parentbased_always_on', undefined, 1, true],
    ['parentbased_always_off', undefined, 0, true],
    ['parentbased_traceidratio', '0.1', 0.1, true],
  ])(
    'decide which requests are sampled: %s %s',
    (OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, sampleRatio, followCallers) => {
      const environment = { ...base, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG };
      expect(openTelemetryEnvironmentProblems(environment)).toEqual([]);
      expect(readOpenTelemetryEnvironment(environment).tracing).toMatchObject({ sampleRatio, followCallers });
    },
  );

  it.each([
    ['OTEL_TRACES_EXPORTER', 'zipkin'],
    ['OTEL_METRICS_EXPORTER', 'prometheus'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', 'http/json'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'https://user:password@collector.example'],
    ['OTEL_METRIC_EXPORT_INTERVAL', '10'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_TRACES_SAMPLER_ARG', ''],
  ])('are refused by name if they cannot be honoured, without showing a password: %s=%s', (name, value) => {
    const problems = openTelemetryEnvironmentProblems({ [name]: value });
    expect(problems).not.toEqual([]);
    expect(problems.join()).not.toContain('password@');
  });
});
