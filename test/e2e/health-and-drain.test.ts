import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issueServerCertificate } from '../certificates.js';
import { CallError, type HoldfastClient, type Message } from './client.js';
import { Deployment, eventually, type SpawnedServer } from './deployment.js';
import { healthClient } from './standard-services.js';

/** The compiled server as a process: its signals, its files, its end. */

/** `open`, or the code of the error that the connection ended in. */
function tcpConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve('open');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('the server process', () => {
  let certificatePath = '';
  let keyPath = '';
  const deployment = new Deployment({
    faulty: ['default'],
    configure: (configuration) => {
      const [listener] = configuration['listeners'] as { certificate: string; key: string }[];
      if (listener === undefined) throw new Error('There is no listener.');
      // Long enough that a slow machine does not end the calls that hang in these tests.
      configuration['limits'] = { requestTimeoutMs: 60_000, operationTimeoutMs: 50_000, drainTimeoutMs: 60_000 };
      certificatePath = listener.certificate;
      keyPath = listener.key;
    },
  });
  const fault = deployment.fault('default');
  let server: SpawnedServer;
  let client: HoldfastClient;

  const logLines = (text: string): string[] =>
    readFileSync(deployment.logPath, 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"msg":"${text}"`));

  /** Sends a signal and resolves when the log has one more line with this message. */
  const signalled = async (signal: NodeJS.Signals, message: string): Promise<void> => {
    const before = logLines(message).length;
    server.child.kill(signal);
    await eventually(() =>
      logLines(message).length > before ? Promise.resolve() : Promise.reject(new Error(message)),
    );
  };

  /** A call that is inside the HSM when this resolves, and stays there until the fault is healed. */
  const hangingCall = async (): Promise<{ answer: Promise<Message | CallError> }> => {
    const before = fault.calls('C_GenerateRandom');
    fault.obey('C_GenerateRandom hang');
    const answer = client.call('GenerateRandom', { number_of_bytes: 32 }).catch((error: unknown) => {
      if (error instanceof CallError) return error;
      throw error;
    });
    await eventually(() =>
      fault.calls('C_GenerateRandom') > before ? Promise.resolve() : Promise.reject(new Error('The call is not in.')),
    );
    return { answer };
  };

  const servedCertificate = (): Promise<string> => {
    const { key, certificate } = deployment.certificateOf('operator');
    const options = { host: 'localhost', port: server.port, ca: deployment.authority.certificate };
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ ...options, key, cert: certificate, ALPNProtocols: ['h2'] }, () => {
        const peer = socket.getPeerX509Certificate();
        socket.destroy();
        resolve(peer?.fingerprint256 ?? 'none');
      });
      socket.once('error', reject);
    });
  };

  const fingerprint = (pem: Buffer): string => new X509Certificate(pem).fingerprint256;

  beforeAll(() => {
    expect(existsSync(certificatePath)).toBe(true);
  });

  beforeEach(async () => {
    fault.heal();
    server = await deployment.spawn();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
  });

  afterEach(async () => {
    fault.heal();
    await server.end('SIGKILL');
  });

  afterAll(() => {
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  it('drains at SIGTERM: NOT_SERVING, no new connections, requests in flight finish, exit code 0', async () => {
    const health = healthClient(`localhost:${server.port}`, deployment.credentials('app'));
    const statuses: string[] = [];
    const { answer } = await hangingCall();
    for await (const { status } of health.watch({ service: 'holdfast.kms.v1.CryptographyService' })) {
      statuses.push(status);
      if (statuses.length === 1) await signalled('SIGTERM', 'draining');
    }
    health.close();
    expect(statuses).toEqual(['SERVING', 'NOT_SERVING']);
    expect(await tcpConnect(server.port)).toBe('ECONNREFUSED');
    expect(server.child.exitCode).toBeNull();
    const refused = await deployment.client(server.port, 'operator').refusal('ListKeys');
    expect(refused.status).toBe(grpc.status.UNAVAILABLE);

    fault.heal();
    const random = await answer;
    if (random instanceof CallError) throw random;
    deployment.ledger.add('random bytes', random['plaintext'] as Buffer);
    expect(random['plaintext']).toHaveLength(32);
    // SIGCONT does nothing: the drain ends the process.
    expect(await server.end('SIGCONT')).toBe(0);
    expect(existsSync(deployment.socketPath)).toBe(false);
    expect(await tcpConnect(server.port)).toBe('ECONNREFUSED');
    expect(logLines('stopped')).toHaveLength(1);
    expect(deployment.auditRecords().at(-1)).toMatchObject({ operation: 'GenerateRandom', outcome: 'success' });
  });

  it('does not wait for the drain at a second SIGTERM', async () => {
    const { answer } = await hangingCall();
    await signalled('SIGTERM', 'draining');
    // A signal right after the first counts as the same.
    const again = setInterval(() => server.child.kill('SIGTERM'), 100);
    expect(await server.end('SIGTERM')).toBe(1);
    clearInterval(again);
    // grpc-js names a cut connection by whatever it notices first: the stream's end or the socket's.
    const cut: unknown[] = [grpc.status.UNAVAILABLE, grpc.status.INTERNAL];
    const refused = await answer;
    expect(refused).toBeInstanceOf(CallError);
    expect(cut).toContain((refused as CallError).status);
  });

  it('ends at SIGINT as at SIGTERM', async () => {
    expect(await server.end('SIGINT')).toBe(0);
    expect(existsSync(deployment.socketPath)).toBe(false);
  });

  it('opens no inspector at SIGUSR1, and keeps running', async () => {
    await signalled('SIGUSR1', 'SIGUSR1 is ignored: there is no inspector in a server');
    await client.call('ListKeys');
    expect(readFileSync(deployment.logPath, 'utf8')).not.toContain('Debugger listening');
    expect(await tcpConnect(9229)).toBe('ECONNREFUSED');
  });

  it('starts again on the same files, after a stop and after a crash', async () => {
    const { key_metadata: metadata } = await client.call('CreateKey');
    const { key_id: keyId } = metadata as Message;
    const plaintext = createHash('sha256').update('a plaintext of this test').digest();
    deployment.ledger.add('plaintext', plaintext);
    const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      expect(await server.end(signal)).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL');
      // A crash leaves the socket behind: the next start replaces it.
      expect(existsSync(deployment.socketPath)).toBe(signal === 'SIGKILL');
      server = await deployment.spawn();
      client = server.client();
      await server.defaultKeyStoreConnected(client);
      const decrypted = await client.call('Decrypt', { ciphertext_blob: ciphertext });
      expect(decrypted['plaintext']).toEqual(plaintext);
      await deployment.socketClient().call('ListKeys');
    }
  });

  it('serves a new certificate after SIGHUP, and keeps the old one if the new one is broken', async () => {
    const first = readFileSync(certificatePath);
    expect(await servedCertificate()).toBe(fingerprint(first));
    const renewed = issueServerCertificate(deployment.authority);
    copyFileSync(renewed.certificatePath, certificatePath);
    copyFileSync(renewed.keyPath, keyPath);
    expect(await servedCertificate()).toBe(fingerprint(first));
    await signalled('SIGHUP', 'reloaded');
    expect(await servedCertificate()).toBe(fingerprint(renewed.certificate));
    await client.call('ListKeys');

    writeFileSync(certificatePath, 'no certificate');
    await signalled('SIGHUP', 'reload failed; what was loaded before stays in use');
    expect(await servedCertificate()).toBe(fingerprint(renewed.certificate));
    await client.call('ListKeys');
    copyFileSync(renewed.certificatePath, certificatePath);
  });

  it('continues in a new audit file after a rename and SIGHUP, and loses no record', async () => {
    await client.call('ListKeys', { limit: 11 });
    const rotated = `${deployment.auditPath}.1`;
    renameSync(deployment.auditPath, rotated);
    await client.call('ListKeys', { limit: 12 });
    await signalled('SIGHUP', 'reloaded');
    await client.call('ListKeys', { limit: 13 });
    const limitsIn = (path: string) =>
      readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { parameters?: { limit?: number } }).parameters?.limit)
        .filter((limit) => limit !== undefined);
    const [before, after] = [limitsIn(rotated), limitsIn(deployment.auditPath)];
    expect([...before, ...after].slice(-3)).toEqual([11, 12, 13]);
    expect(after).toContain(13);
  });

  it('refuses to start on a Unix socket that another server listens on, without disturbing that one', async () => {
    await expect(deployment.spawn()).rejects.toThrow(
      `listener unix ${deployment.socketPath}: another process listens there (EADDRINUSE)`,
    );
    expect(existsSync(deployment.socketPath)).toBe(true);
    await deployment.socketClient().call('ListKeys');
    await client.call('ListKeys');
  });
});
