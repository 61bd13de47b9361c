import { ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { type AnyValueMap, type LogRecord, SeverityNumber } from '@opentelemetry/api-logs';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import {
  BatchLogRecordProcessor,
  type LogRecordExporter,
  type LogRecordProcessor,
  type ReadableLogRecord,
  type ReadWriteLogRecord,
} from '@opentelemetry/sdk-logs';
import type { Level } from 'pino';
import type { ExportOutcomeListener } from './span-outlet.js';

/** The maximum number of records that wait or are being sent; further ones are dropped and counted. */
const maxWaitingRecords = 2_048;
const exportIntervalMs = 2_000;
const exportTimeoutMs = 5_000;

/** Sends log records in batches, within a bound, and reports those that did not arrive. */
export class LogOutlet implements LogRecordProcessor {
  readonly #batches: BatchLogRecordProcessor;
  readonly #onRecords: ExportOutcomeListener;
  #waiting = 0;

  constructor(exporter: LogRecordExporter, onRecords: ExportOutcomeListener) {
    this.#onRecords = onRecords;
    this.#batches = new BatchLogRecordProcessor({
      exporter: this.#watched(exporter),
      maxQueueSize: maxWaitingRecords,
      scheduledDelayMillis: exportIntervalMs,
      exportTimeoutMillis: exportTimeoutMs,
    });
  }

  onEmit(record: ReadWriteLogRecord): void {
    if (this.#waiting >= maxWaitingRecords) {
      this.#onRecords('dropped', 1);
      return;
    }
    this.#waiting += 1;
    this.#batches.onEmit(record);
  }

  enabled(): boolean {
    return true;
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown();
  }

  #watched(exporter: LogRecordExporter): LogRecordExporter {
    return {
      export: (records: ReadableLogRecord[], done: (result: ExportResult) => void) => {
        exporter.export(records, (result) => {
          this.#waiting -= records.length;
          const exported = result.code === ExportResultCode.SUCCESS;
          this.#onRecords(exported ? 'exported' : 'failed', records.length, result.error);
          done(result);
        });
      },
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown(),
    };
  }
}

const severities: Readonly<Record<Level, SeverityNumber>> = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

/** The fields that every line of our log has (`logger.ts`). */
interface LogLine extends Record<string, unknown> {
  level: Level;
  /** RFC 3339. */
  time: string;
  msg?: string;
  traceId?: string;
  spanId?: string;
}

/** The log record of one line of the log: the same text and fields; the logger has already censored secrets. */
export function logRecordOf(line: string): LogRecord {
  const { level, time, msg, traceId, spanId, ...fields } = JSON.parse(line) as LogLine;
  const timestamp = new Date(time);
  return {
    timestamp,
    observedTimestamp: timestamp,
    severityNumber: severities[level],
    severityText: level,
    body: msg ?? '',
    attributes: fields as AnyValueMap,
    ...(traceId === undefined || spanId === undefined
      ? {}
      : { context: trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED }) }),
  };
}
