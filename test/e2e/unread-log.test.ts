import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { commandLine, Deployment, eventually } from './deployment.js';

let deployment: Deployment;
afterEach(() => deployment.dispose());

test('a log without a reader blocks neither requests nor the end of the server', async () => {
  deployment = new Deployment();
  // A pipe holds 64 KiB, and `trace` writes some lines per request.
  const child = spawn(process.execPath, [commandLine, 'serve', '--config', deployment.configurationPath], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    await eventually(() => (existsSync(deployment.socketPath) ? Promise.resolve() : Promise.reject(new Error())));
    const client = deployment.socketClient();
    for (let request = 0; request < 600; request += 1) {
      await client.refusal('Decrypt', { ciphertext_blob: Buffer.alloc(300, request) });
    }
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
}, 60_000);
