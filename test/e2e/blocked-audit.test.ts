import { execFileSync } from 'node:child_process';
import { closeSync, constants, createReadStream, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Deployment } from './deployment.js';

/** The audit log goes to a pipe of this process without a reader (`… | something that hangs`). */
describe('an audit log that blocks', () => {
  let deployment: Deployment;
  let pipe: number;
  let pipePath: string;

  beforeEach(() => {
    deployment = new Deployment({
      configure: (configuration) => {
        configuration['limits'] = { requestTimeoutMs: 1_500, operationTimeoutMs: 1_000, drainTimeoutMs: 1_000 };
        const { file } = configuration['audit'] as { file: string };
        pipePath = `${file}.pipe`;
        execFileSync('mkfifo', [pipePath]);
        pipe = openSync(pipePath, constants.O_RDWR | constants.O_NONBLOCK);
        configuration['audit'] = { file: join('/proc/self/fd', String(pipe)) };
      },
    });
  });

  afterEach(() => {
    // Reads to the end, which releases the writing thread.
    createReadStream('', { fd: openSync(pipePath, constants.O_RDONLY) }).resume();
    closeSync(pipe);
    deployment.dispose();
  });

  it('delays neither answers nor the stop beyond their bounds', async () => {
    const server = await deployment.start();
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    fill(pipe);
    const first = await client.refusal('GenerateRandom', { number_of_bytes: 32 });
    expect(first).toMatchObject({ reason: 'KMS_INTERNAL' });
    expect(first.message).toContain('The audit log cannot be written');
    expect(await server.server.stop()).toEqual({ lanesHung: false, auditHung: true });
  });
});

function fill(pipe: number): void {
  try {
    for (;;) writeSync(pipe, '\n'.repeat(1_024));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}
