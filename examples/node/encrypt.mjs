/** Encrypts and decrypts text: `node encrypt.mjs <key id or alias>`. ../README.md has the variables that it reads. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const protos = fileURLToPath(new URL('../../proto', import.meta.url));
const retryPolicy = readFileSync(new URL('../retry-policy.json', import.meta.url), 'utf8');
const mostAttempts = 5;

const details = new protobuf.Root();
details.resolvePath = (_origin, target) => `${protos}/${target}`;
details.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);

/** The certificates and the address come from the environment. */
function connect() {
  const { HOLDFAST_SERVER, HOLDFAST_CA, HOLDFAST_CERTIFICATE, HOLDFAST_KEY } = process.env;
  const tls = grpc.credentials.createSsl(
    readFileSync(HOLDFAST_CA),
    readFileSync(HOLDFAST_KEY),
    readFileSync(HOLDFAST_CERTIFICATE),
  );
  const definitions = protoLoader.loadSync('holdfast/kms/v1/cryptography_service.proto', { includeDirs: [protos] });
  const { CryptographyService } = grpc.loadPackageDefinition(definitions).holdfast.kms.v1;
  return new CryptographyService(HOLDFAST_SERVER, tls, { 'grpc.service_config': retryPolicy });
}

/** The server's information about an error; undefined if it sent none, because it was not reached. */
function explain(error) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (bytes === undefined) return undefined;
  const found = {};
  for (const detail of details.lookupType('google.rpc.Status').decode(bytes).details) {
    const name = detail.type_url.split('/').at(-1);
    found[name] = details.lookupType(name).decode(detail.value);
  }
  const info = found['google.rpc.ErrorInfo'];
  const delay = found['google.rpc.RetryInfo']?.retryDelay;
  return {
    reason: info.reason,
    retryable: info.metadata.retryable === 'true',
    requestId: info.metadata.request_id,
    delayMs: delay === undefined ? undefined : Number(delay.seconds ?? 0) * 1_000 + Number(delay.nanos ?? 0) / 1e6,
  };
}

/** One call, repeated while the server says that a retry may succeed. */
async function call(client, method, request) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await new Promise((resolve, reject) => {
        client[method](request, (error, response) => (error ? reject(error) : resolve(response)));
      });
    } catch (error) {
      const why = explain(error);
      if (why?.retryable !== true || attempt === mostAttempts) throw error;
      const delayMs = why.delayMs ?? 100 * 2 ** attempt;
      console.error(`${method} again in ${Math.ceil(delayMs)} ms: ${why.reason}`);
      await pause(delayMs);
    }
  }
}

const client = connect();
try {
  const encryptionContext = { purpose: 'example' };
  const plaintext = Buffer.from('hello from Node');
  const { ciphertextBlob } = await call(client, 'Encrypt', { keyId: process.argv[2], plaintext, encryptionContext });
  const decrypted = await call(client, 'Decrypt', { ciphertextBlob, encryptionContext });
  console.log(`decrypted: ${decrypted.plaintext.toString()}`);
} catch (error) {
  const why = explain(error);
  if (why === undefined) throw error;
  console.error(`${why.reason} (retryable: ${why.retryable}, request ${why.requestId}): ${error.details}`);
  process.exitCode = 1;
} finally {
  client.close();
}
