import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Message, methods } from './client.js';
import { type Caller, Deployment, type RunningServer } from './deployment.js';

/** An independent client: the grpcurl command, which learns the interface by server reflection alone. */

const installer = fileURLToPath(new URL('../../scripts/install-go-program.mjs', import.meta.url));
const installed = spawnSync(process.execPath, [installer, 'grpcurl'], { encoding: 'utf8' });
const grpcurl = installed.stdout.trim();
const reason = installed.stderr.trim();
if (grpcurl === '') process.stderr.write(`test/e2e/grpcurl.test.ts is skipped: ${reason}\n`);

/** grpcurl's exit code is this plus the gRPC status. */
const exitCodeOffset = 64;

interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

function run(parameters: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(grpcurl, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

describe.skipIf(grpcurl === '').each(['TLS', 'the Unix socket'])(`grpcurl over %s`, (door) => {
  const deployment = new Deployment();
  let server: RunningServer;

  const connection = (caller: Caller = 'operator'): { options: string[]; address: string } => {
    if (door !== 'TLS') return { options: ['-plaintext', '-unix'], address: deployment.socketPath };
    const { certificatePath, keyPath } = deployment.certificateOf(caller);
    const options = ['-cacert', deployment.authority.certificatePath, '-cert', certificatePath, '-key', keyPath];
    return { options, address: `localhost:${server.port}` };
  };

  const ask = async (...question: string[]): Promise<string[]> => {
    const { options, address } = connection();
    const { exitCode, stdout, stderr } = await run([...options, address, ...question]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stdout.trimEnd().split('\n');
  };

  const callWith = (method: string, request: Message, ...more: string[]): Promise<Ended> => {
    const { options, address } = connection();
    return run([...options, ...more, '-d', JSON.stringify(request), address, method]);
  };

  const call = async (method: string, request: Message): Promise<Message> => {
    const { exitCode, stdout, stderr } = await callWith(method, request);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return JSON.parse(stdout) as Message;
  };

  beforeAll(async () => {
    server = await deployment.start();
    await server.defaultKeyStoreConnected();
  });

  afterAll(async () => {
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  it('lists the services and their methods', async () => {
    const kms = ['CryptographyService', 'KeyService', 'KeyStoreService'].map((name) => `holdfast.kms.v1.${name}`);
    const admin = ['AdminService', 'BackupService', 'ClusterService', 'CredentialService'].map(
      (name) => `holdfast.admin.v1.${name}`,
    );
    const services = [...kms, ...admin];
    expect(await ask('list')).toEqual(expect.arrayContaining(['grpc.health.v1.Health', ...services]));
    const listed = (await Promise.all(services.map((service) => ask('list', service)))).flat();
    expect(listed.sort()).toEqual(methods.map(({ path }) => path.slice(1).replace('/', '.')).sort());
  });

  it('describes services and messages', async () => {
    const service = (await ask('describe', 'holdfast.kms.v1.CryptographyService')).join('\n');
    expect(service).toContain('rpc Encrypt ( .holdfast.kms.v1.EncryptRequest )');
    const message = (await ask('describe', 'holdfast.kms.v1.EncryptRequest')).join('\n');
    expect(message).toMatch(/optional bytes plaintext = 2 \[debug_redact = true\];/);
    expect(message).toMatch(/map<string, string> encryption_context = 3;/);
    const metadata = (await ask('describe', 'holdfast.kms.v1.KeyMetadata')).join('\n');
    expect(metadata).toMatch(/\.google\.protobuf\.Timestamp creation_date = 4;/);
  });

  it('creates a key, encrypts and decrypts', async () => {
    const { keyMetadata } = await call('holdfast.kms.v1.KeyService/CreateKey', { description: 'by grpcurl' });
    const { keyId, arn, keyState } = keyMetadata as Message;
    expect(keyState).toBe('KEY_STATE_ENABLED');
    const plaintext = randomBytes(33);
    deployment.ledger.add('plaintext', plaintext);
    const context = { encryptionContext: { purpose: 'grpcurl' } };
    const encrypted = await call('holdfast.kms.v1.CryptographyService/Encrypt', {
      keyId,
      plaintext: plaintext.toString('base64'),
      ...context,
    });
    expect(encrypted['encryptionAlgorithm']).toBe('ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT');
    const decrypted = await call('holdfast.kms.v1.CryptographyService/Decrypt', {
      ciphertextBlob: encrypted['ciphertextBlob'],
      ...context,
    });
    expect(decrypted).toMatchObject({ keyId: arn, plaintext: plaintext.toString('base64') });
  });

  it('reads the details of an error', async () => {
    const { exitCode, stderr } = await callWith(
      'holdfast.kms.v1.CryptographyService/GenerateRandom',
      { numberOfBytes: 1025 },
      '-format-error',
    );
    expect(exitCode).toBe(exitCodeOffset + grpc.status.INVALID_ARGUMENT);
    const error = JSON.parse(stderr) as { code: number; message: string; details: Message[] };
    expect(error.code).toBe(grpc.status.INVALID_ARGUMENT);
    expect(error.message).toContain('Member must have value less than or equal to 1024');
    expect(error.details).toEqual([
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'VALIDATION',
        domain: 'holdfast.kms',
        metadata: { request_id: expect.any(String) as string, retryable: 'false' },
      },
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [
          { field: 'number_of_bytes', description: 'Member must have value less than or equal to 1024' },
        ],
      },
    ]);
  });

  it('asks for the health of the server and of each service', async () => {
    for (const service of ['', ...new Set(methods.map(({ path }) => path.split('/')[1] ?? ''))]) {
      expect(await call('grpc.health.v1.Health/Check', { service })).toEqual({ status: 'SERVING' });
    }
    const unknown = await callWith('grpc.health.v1.Health/Check', { service: 'holdfast.kms.v1.NoService' });
    expect(unknown.exitCode).toBe(exitCodeOffset + grpc.status.NOT_FOUND);
  });

  it.runIf(door === 'TLS')(
    'is refused without a certificate, and denied with one that maps to no principal',
    async () => {
      const { address } = connection();
      // grpcurl retries until its own time is over: with TLS 1.3 a client learns of its refusal after the handshake.
      const patience = ['-connect-timeout', '2'];
      const without = await run([...patience, '-cacert', deployment.authority.certificatePath, address, 'list']);
      expect(without.exitCode).not.toBe(0);
      expect(without.stdout).toBe('');
      const stranger = connection('stranger');
      const denied = await run([...stranger.options, stranger.address, 'holdfast.kms.v1.KeyService/ListKeys']);
      expect(denied.exitCode).toBe(exitCodeOffset + grpc.status.PERMISSION_DENIED);
      expect(denied.stderr).toContain('The caller is not a principal of this service.');
    },
  );
});
