import { ExportResultCode } from '@opentelemetry/core';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { ExportOutcomeListener } from './span-outlet.js';

/**
 * Reports the outcome of each export. A failed one is not retried: the next has the same counters, at higher values.
 */
export function watchedMetricExporter(
  exporter: PushMetricExporter,
  onExports: ExportOutcomeListener,
): PushMetricExporter {
  return {
    export: (metrics, done) => {
      exporter.export(metrics, (result) => {
        onExports(result.code === ExportResultCode.SUCCESS ? 'exported' : 'failed', 1, result.error);
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}
