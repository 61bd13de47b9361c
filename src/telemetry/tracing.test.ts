import type { ExportResult } from '@opentelemetry/core';
import { ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { spanEvent } from './events.js';
import { OpenTelemetry } from './open-telemetry.js';
import type { ExportOutcomeListener } from './span-outlet.js';
import { Tracing } from './tracing.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';

/** Keeps the spans that it receives, and answers when the test says. */
class HeldExporter implements SpanExporter {
  readonly spans: ReadableSpan[] = [];
  readonly #waiting: ((result: ExportResult) => void)[] = [];
  held = false;

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.spans.push(...spans);
    if (this.held) this.#waiting.push(done);
    else done({ code: ExportResultCode.SUCCESS });
  }

  release(result: ExportResult = { code: ExportResultCode.SUCCESS }): void {
    this.held = false;
    for (const done of this.#waiting.splice(0)) done(result);
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

let open: OpenTelemetry | undefined;
afterEach(() => open?.shutdown());

function tracing(options: {
  sampleRatio?: number;
  followCallers?: boolean;
  random?: () => number;
  exporter?: SpanExporter;
  onSpans?: ExportOutcomeListener;
}): Tracing {
  const { exporter = new HeldExporter(), onSpans = () => undefined } = options;
  open = new OpenTelemetry({
    serviceName: 'test',
    serviceVersion: '0',
    environment: false,
    spans: { exporter, onSpans },
  });
  return new Tracing(open.tracer, { sampleRatio: 0, followCallers: true, random: () => 0.5, ...options });
}

describe('sampling', () => {
  it('takes a share of the requests: none at 0, all at 1', () => {
    expect(tracing({ sampleRatio: 0, random: () => 0 }).isSampled(undefined)).toBe(false);
    expect(tracing({ sampleRatio: 1, random: () => 0.999_999 }).isSampled(undefined)).toBe(true);
    expect(tracing({ sampleRatio: 0.5, random: () => 0.49 }).isSampled(undefined)).toBe(true);
    expect(tracing({ sampleRatio: 0.5, random: () => 0.5 }).isSampled(undefined)).toBe(false);
  });

  it.each([
    ['sampled', '01', true],
    ['not sampled', '00', false],
    ['sampled, and a later flag', '03', true],
    ['only a later flag', '02', false],
  ])('follows the caller: %s', (_, flags, sampled) => {
    const header = `00-${traceId}-${parentId}-${flags}`;
    expect(tracing({ sampleRatio: sampled ? 0 : 1 }).isSampled(header)).toBe(sampled);
  });

  it.each([
    ['nothing', ''],
    ['text', 'sampled'],
    ['a trace id of zeroes', `00-${'0'.repeat(32)}-${parentId}-01`],
    ['a parent id of zeroes', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${traceId.toUpperCase()}-${parentId}-01`],
    ['the version that is never used', `ff-${traceId}-${parentId}-01`],
    ['more flags than there are', `00-${traceId}-${parentId}-0101`],
    ['more than version 00 has', `00-${traceId}-${parentId}-01-more`],
  ])('ignores an invalid header: %s', (_, header) => {
    expect(tracing({ sampleRatio: 0 }).isSampled(header)).toBe(false);
    expect(tracing({ sampleRatio: 1 }).isSampled(header)).toBe(true);
  });

  it('follows a header of a later version, whatever comes after its flags', () => {
    const header = `01-${traceId}-${parentId}-01-more`;
    const traces = tracing({ sampleRatio: 0 });
    expect(traces.isSampled(header)).toBe(true);
    const request = traces.startRequest('a', {}, { traceparent: header, tracestate: undefined });
    expect(request.traceId).toBe(traceId);
    request.end();
  });

  it("does not follow the caller's flag if callers do not decide, but keeps the caller's span as the parent", () => {
    const header = `00-${traceId}-${parentId}-01`;
    expect(tracing({ sampleRatio: 0, followCallers: false }).isSampled(header)).toBe(false);
    const own = tracing({ sampleRatio: 1, followCallers: false });
    const request = own.startRequest('a', {}, { traceparent: header, tracestate: undefined });
    expect(request.traceId).toBe(traceId);
    request.end();
  });
});

describe('exported spans', () => {
  it('are bounded in number while the receiver does not answer, and losses are reported', async () => {
    const exporter = new HeldExporter();
    exporter.held = true;
    const told = { exported: 0, failed: 0, dropped: 0 };
    const traces = tracing({ sampleRatio: 1, exporter, onSpans: (outcome, count) => (told[outcome] += count) });
    for (let number = 0; number < 3_000; number += 1) traces.startRequest('a', {}, undefined).end();
    expect(told.dropped).toBe(3_000 - 2_048);
    exporter.release();
    await open?.shutdown();
    expect(told).toEqual({ exported: 2_048, failed: 0, dropped: 952 });
    expect(exporter.spans).toHaveLength(2_048);
  });

  it('are reported if they could not be sent', async () => {
    const exporter = new HeldExporter();
    exporter.held = true;
    const told: unknown[] = [];
    const traces = tracing({ sampleRatio: 1, exporter, onSpans: (...outcome) => told.push(outcome) });
    traces.startRequest('a', {}, undefined).end();
    const error = new Error('away');
    const ended = open?.shutdown().catch((thrown: unknown) => thrown);
    await new Promise((resolve) => setImmediate(resolve));
    exporter.release({ code: ExportResultCode.FAILED, error });
    expect(await ended).toBe(error);
    expect(told).toEqual([['failed', 1, error]]);
    open = undefined;
  });
});

describe('lost spans', () => {
  it('are logged once a minute, with their number', () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const clock = new ManualClock();
    const onSpans = spanEvent({ logger, metrics: undefined }, clock);
    onSpans('exported', 5);
    onSpans('failed', 3, new Error('away'));
    onSpans('failed', 4, new Error('away'));
    onSpans('dropped', 2);
    clock.advance(60_000);
    onSpans('failed', 1, new Error('away'));
    const logged = lines.map((line) => (JSON.parse(line) as { lostSpans: number }).lostSpans);
    expect(logged).toEqual([3, 7]);
  });
});
