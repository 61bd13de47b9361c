/**
 * A process that sends requests when they are due, whether or not earlier ones have been answered:
 * `open-loop-client.ts <JSON of OpenLoopLoad>`. Prints one JSON `OpenLoopAnswers`.
 *
 * A latency begins when the request was due. A server that stands still, and a client that is late itself, so count in
 * full for every request that would have been sent meanwhile (no coordinated omission). The output says how late the
 * client was.
 */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { arrivals } from './arrivals.js';
import { percentile } from './statistics.js';
import { pathOf, type Target } from './target.js';

export interface OpenLoopLoad {
  target: Target;
  ratePerSecond: number;
  seconds: number;
  /** Requests that are sent first, at the same rate, and not counted: this process's own code is compiled meanwhile. */
  warmUpSeconds: number;
  connections: number;
}

/** The counted requests. */
export interface OpenLoopAnswers {
  answered: number;
  /** The time from the first due request to the last answer. */
  elapsedSeconds: number;
  latencyMs: { p50: number; p99: number; p999: number };
  /** The delay between due and sent: the client's own part in the latencies. */
  sentLateMs: { p50: number; p99: number };
}

/** How long answers may take after the last request, in milliseconds: beyond the server's own deadline. */
const patienceMs = 15_000;

/** The longest sleep, in milliseconds: an answer that comes meanwhile is seen late by up to this much. */
const napMs = 0.1;

/** Sleeps more finely than a timer, whose unit is a millisecond. */
const napping = new Int32Array(new SharedArrayBuffer(4));

class OpenLoop {
  readonly #load: OpenLoopLoad;
  readonly #frame: Buffer;
  readonly #sessions: ClientHttp2Session[];
  readonly #dueMs: Float64Array;
  readonly #lateMs: number[] = [];
  readonly #latenciesMs: number[] = [];
  #startMs = 0;
  #sent = 0;
  #done = 0;
  #lastAnswerMs = 0;
  #failure: Error | undefined;

  constructor(load: OpenLoopLoad) {
    this.#load = load;
    const { target, connections, ratePerSecond, warmUpSeconds, seconds } = load;
    this.#frame = readFileSync(target.framePath);
    this.#sessions = Array.from({ length: connections }, () => this.#connect());
    this.#dueMs = arrivals(ratePerSecond, warmUpSeconds + seconds);
  }

  async run(): Promise<OpenLoopAnswers> {
    await Promise.all(this.#sessions.map((session) => new Promise((resolve) => session.once('connect', resolve))));
    this.#startMs = performance.now();
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const nowMs = performance.now() - this.#startMs;
      this.#sendDue(nowMs);
      if (this.#done === this.#dueMs.length) break;
      if (nowMs > (this.#load.warmUpSeconds + this.#load.seconds) * 1000 + patienceMs) {
        throw new Error(`${this.#dueMs.length - this.#done} of ${this.#dueMs.length} requests were not answered.`);
      }
      this.#nap();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const session of this.#sessions) session.destroy();
    return this.#answers();
  }

  #connect(): ClientHttp2Session {
    const { port, authorityPath, clientCertificatePath, clientKeyPath } = this.#load.target;
    const session = connect(`https://localhost:${port}`, {
      ca: readFileSync(authorityPath),
      cert: readFileSync(clientCertificatePath),
      key: readFileSync(clientKeyPath),
    });
    session.on('error', (error: Error) => (this.#failure = error));
    return session;
  }

  #sendDue(nowMs: number): void {
    for (; this.#sent < this.#dueMs.length && this.#due(this.#sent) <= nowMs; this.#sent += 1) this.#send(this.#sent);
  }

  #due(index: number): number {
    return this.#dueMs[index] ?? Number.POSITIVE_INFINITY;
  }

  #send(index: number): void {
    const session = this.#sessions[index % this.#sessions.length];
    const request = session?.request({
      ':method': 'POST',
      ':path': pathOf(this.#load.target),
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const sentMs = performance.now() - this.#startMs;
    let status: unknown;
    request?.on('response', (headers) => (status = headers['grpc-status']));
    request?.on('trailers', (trailers: Record<string, unknown>) => (status = trailers['grpc-status']));
    request?.on('error', (error: Error) => (this.#failure = error));
    request?.on('close', () => this.#answeredWith(index, sentMs, status));
    request?.resume();
    request?.end(this.#frame);
  }

  #answeredWith(index: number, sentMs: number, status: unknown): void {
    if (status !== '0') this.#failure ??= new Error(`A request was answered with grpc-status ${String(status)}.`);
    this.#done += 1;
    const dueMs = this.#due(index);
    if (dueMs < this.#load.warmUpSeconds * 1000) return;
    this.#lastAnswerMs = performance.now() - this.#startMs;
    this.#latenciesMs.push(this.#lastAnswerMs - dueMs);
    this.#lateMs.push(sentMs - dueMs);
  }

  #nap(): void {
    const idleMs = this.#due(this.#sent) - (performance.now() - this.#startMs);
    if (idleMs > napMs / 2) Atomics.wait(napping, 0, 0, Math.min(idleMs, napMs));
  }

  #answers(): OpenLoopAnswers {
    const of = (values: readonly number[], share: number) => percentile(values, share);
    const latencies = this.#latenciesMs;
    return {
      answered: latencies.length,
      elapsedSeconds: this.#lastAnswerMs / 1000 - this.#load.warmUpSeconds,
      latencyMs: { p50: of(latencies, 0.5), p99: of(latencies, 0.99), p999: of(latencies, 0.999) },
      sentLateMs: { p50: of(this.#lateMs, 0.5), p99: of(this.#lateMs, 0.99) },
    };
  }
}

const load = JSON.parse(process.argv[2] ?? '') as OpenLoopLoad;
process.stdout.write(JSON.stringify(await new OpenLoop(load).run()));
