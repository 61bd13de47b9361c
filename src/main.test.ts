import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Deployment, eventually } from '../test/e2e/deployment.js';

/**
 * A sealing key that becomes available on the test's command. Until then the server is starting; the command stores the
 * server's process id.
 */
function configureSlowStart(configuration: Record<string, unknown>): void {
  const [sealingKey] = configuration['sealingKeys'] as { id: string; key: { file?: string; command?: string[] } }[];
  const file = sealingKey?.key.file ?? '';
  const script = `echo $PPID > ${file}.pid && mv ${file}.pid ${file}.asked; while [ ! -e ${file}.go ]; do sleep 0.02; done; cat ${file}`;
  if (sealingKey !== undefined) sealingKey.key = { command: ['/bin/sh', '-c', script] };
}

describe('a server that is starting', () => {
  let deployment: Deployment;

  beforeEach(() => {
    deployment = new Deployment({ configure: configureSlowStart });
  });

  afterEach(() => {
    deployment.dispose();
  });

  /** Starts a server, and sends it a signal while it starts. */
  async function startWithSignal(signal: NodeJS.Signals) {
    const sealingKey = join(deployment.folder, 'sealing.key');
    const starting = deployment.spawn();
    await eventually(() =>
      existsSync(`${sealingKey}.asked`) ? Promise.resolve() : Promise.reject(new Error('not yet')),
    );
    process.kill(Number(readFileSync(`${sealingKey}.asked`, 'utf8')), signal);
    writeFileSync(`${sealingKey}.go`, '');
    return starting;
  }

  it('is not ended by SIGHUP', async () => {
    const server = await startWithSignal('SIGHUP');
    await server.defaultKeyStoreConnected();
    expect(await server.end('SIGTERM')).toBe(0);
  });

  it('drains and ends cleanly on SIGTERM', async () => {
    const server = await startWithSignal('SIGTERM');
    const exitCode = server.child.exitCode ?? (await new Promise((resolve) => server.child.once('exit', resolve)));
    expect(exitCode).toBe(0);
    expect(readFileSync(deployment.logPath, 'utf8')).toContain('"msg":"stopped"');
  });
});
