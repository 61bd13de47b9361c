import { ExportResultCode } from '@opentelemetry/core';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { ExportOutcomeListener } from './span-outlet.js';

/** Reports what became of each export. One that fails is not repeated: the next one has the same counters, risen. */
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
