import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { type HoldfastClient, type Message, methods } from '../e2e/client.js';
import { Deployment, type RunningServer } from '../e2e/deployment.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, 'node_modules/.cache/holdfast-examples');
const at = (...path: string[]): string => join(root, 'examples', ...path);

interface Example {
  program: string;
  /** Files that `npm run test:examples` makes if the tool-chain is installed. */
  needs: string[];
  argv: string[];
  environment?: NodeJS.ProcessEnv;
}

const examples: Record<string, Example> = {
  Node: { program: process.execPath, needs: [], argv: [at('node/encrypt.mjs')] },
  Python: {
    program: join(cache, 'python/venv/bin/python'),
    needs: [join(cache, 'python/venv/bin/python'), join(cache, 'python/generated/holdfast')],
    argv: [at('python/encrypt.py')],
    environment: { PYTHONPATH: join(cache, 'python/generated') },
  },
  Go: { program: join(cache, 'go/encrypt'), needs: [join(cache, 'go/encrypt')], argv: [] },
};

const deployment = new Deployment({ faulty: ['default'] });
let server: RunningServer;
let client: HoldfastClient;
let keyId = '';

beforeAll(async () => {
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
  const { key_metadata: metadata } = await client.call('CreateKey');
  keyId = (metadata as Message)['key_id'] as string;
});

afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

function run({ program, argv, environment }: Example, key: string, onComplaint = (): void => undefined) {
  const { certificatePath, keyPath } = deployment.certificateOf('operator');
  const child = spawn(program, [...argv, key], {
    env: {
      PATH: process.env['PATH'],
      HOLDFAST_SERVER: `localhost:${server.port}`,
      HOLDFAST_CA: deployment.authority.certificatePath,
      HOLDFAST_CERTIFICATE: certificatePath,
      HOLDFAST_KEY: keyPath,
      ...environment,
    },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (text: Buffer) => (output[name] += text.toString()));
  child.stderr.once('data', onComplaint);
  return new Promise<typeof output & { exitCode: number | null }>((resolve, reject) => {
    child.once('error', reject).once('close', (exitCode) => resolve({ ...output, exitCode }));
  });
}

describe.each(Object.entries(examples))('the example in %s', (language, example) => {
  const isReady = example.needs.every((file) => existsSync(file));
  const why = isReady ? '' : ' (skipped: npm run test:examples makes it ready if the tool-chain is installed)';

  it.skipIf(!isReady)(`encrypts and decrypts over mutual TLS${why}`, async () => {
    expect(await run(example, keyId)).toEqual({
      stdout: `decrypted: hello from ${language}\n`,
      stderr: '',
      exitCode: 0,
    });
  });

  it.skipIf(!isReady)(`names the refusal of the server, and does not retry it${why}`, async () => {
    const { stdout, stderr, exitCode } = await run(example, 'alias/missing');
    expect([stdout, exitCode]).toEqual(['', 1]);
    expect(stderr).toMatch(/^NOT_FOUND \(retryable: false, request [\w-]+\): Alias .*alias\/missing is not found\.\n$/);
  });

  it.skipIf(!isReady)(`waits for an absent HSM, as long as the server says${why}`, async () => {
    const fault = deployment.fault('default');
    // Absent for longer than gRPC's retry policy alone would wait: until the example says that it waits.
    fault.obey('C_EncryptInit rv 0x30', 'C_DecryptInit rv 0x30');
    const { stdout, stderr, exitCode } = await run(example, keyId, () => fault.heal());
    expect([stdout, exitCode]).toEqual([`decrypted: hello from ${language}\n`, 0]);
    expect(stderr).toMatch(/again in \d+ ms: KEY_UNAVAILABLE\n/);
  });
});

test('the Go example embeds the policy of the others', () => {
  expect(readFileSync(at('go/retry-policy.json'), 'utf8')).toBe(readFileSync(at('retry-policy.json'), 'utf8'));
});

test('the policy names existing methods, and none that creates something', () => {
  const policy = JSON.parse(readFileSync(at('retry-policy.json'), 'utf8')) as {
    methodConfig: { name: { service: string; method?: string }[] }[];
  };
  const names = policy.methodConfig.flatMap(({ name }) => name);
  const paths = methods.map(({ path }) => path);
  for (const { service, method } of names) {
    expect(
      paths.filter((path) => path.startsWith(`/${service}/${method ?? ''}`)),
      service,
    ).not.toEqual([]);
    expect(method ?? service).not.toMatch(/^Create|^Delete|^Update|KeyService|KeyStoreService/);
  }
});
