import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Deployment, type RunningServer } from './deployment.js';
import { health, reflectedServices } from './standard-services.js';

/** The audit log goes to a pipe of this process, which is full and read only when a test says so. */
let deployment: Deployment;
let server: RunningServer;
/** Both ends, without waiting. */
let pipe: number;
let received: string;

beforeEach(async () => {
  received = '';
  deployment = new Deployment({
    configure: (configuration) => {
      configuration['telemetry'] = { logLevel: 'info', metrics: { address: '127.0.0.1', port: 0 } };
      const path = `${(configuration['audit'] as { file: string }).file}.pipe`;
      execFileSync('mkfifo', [path]);
      pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
      configuration['audit'] = { file: join('/proc/self/fd', String(pipe)) };
    },
  });
  server = await deployment.start();
  await server.defaultKeyStoreConnected(server.client());
});

afterEach(async () => {
  const stopped = server.stop();
  const reading = setInterval(read, 10);
  await stopped;
  clearInterval(reading);
  closeSync(pipe);
  deployment.dispose();
});

function fill(): void {
  untilRefused(() => writeSync(pipe, '\n'.repeat(1_024)));
}

function read(): void {
  const buffer = Buffer.alloc(65_536);
  untilRefused(() => (received += buffer.toString('utf8', 0, readSync(pipe, buffer))));
}

function untilRefused(act: () => unknown): void {
  try {
    for (;;) act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}

/** The records that have reached the pipe, which stands for the kernel. */
function recorded(): string[] {
  read();
  const lines = received
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { operation?: string }).operation ?? 'notice');
}

it('holds back answers for a second, and neither health, metrics nor what needs no record', async () => {
  recorded();
  received = '';
  fill();
  const answered: string[] = [];
  const client = server.client();
  const calls = [
    ['GenerateRandom', { number_of_bytes: 32 }],
    ['ListKeys', {}],
    ['CreateKey', {}],
  ] as const;
  const answers = calls.map(async ([method, request]) => {
    await client.call(method, request);
    answered.push(method);
    expect(recorded()).toContain(method);
  });
  const target = `localhost:${server.port}`;
  const credentials = deployment.credentials('app');
  const stalledAtMs = performance.now();
  while (performance.now() - stalledAtMs < 1_000) {
    expect(await health(target, credentials)).toBe('SERVING');
    const metrics = await fetch(`http://127.0.0.1:${server.server.metricsPort ?? 0}/metrics`);
    expect(await metrics.text()).toContain('holdfast_ready 1');
    expect(await reflectedServices(target, credentials)).toContain('grpc.health.v1.Health');
    await setTimeout(50);
  }
  expect(answered).toEqual([]);
  expect(received).toBe('');
  read();
  const reading = setInterval(read, 1);
  await Promise.all(answers);
  clearInterval(reading);
  expect(answered).toHaveLength(calls.length);
});
