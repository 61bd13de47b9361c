import * as z from 'zod';
import type { Clock } from '../../clock.js';
import type { HsmCluster } from '../../clusters/hsm-cluster.js';
import type { KeyCatalog } from '../../keys/catalog.js';
import { materialReference } from '../../keys/material.js';
import { ciphertextAdditionalData, parseCiphertextBlob } from '../../operations/cryptography/ciphertext-blob.js';
import { headerOf } from '../../operations/cryptography/encryption.js';
import { canonicalContext } from '../../operations/cryptography/encryption-context.js';
import { readRegularText } from '../../regular-file.js';
import { localError } from '../exit-codes.js';

const maxSampleBytes = 16 * 1024 * 1024;
const callTimeoutMs = 10_000;

const sampleSchema = z.strictObject({
  ciphertext: z.base64(),
  encryption_context: z.record(z.string(), z.string()).default({}),
});

/** A ciphertext of a caller, and its encryption context. */
interface Sample {
  line: number;
  ciphertext: Uint8Array;
  context: ReadonlyMap<string, string>;
}

/** What became of the samples. */
export interface SampleOutcome {
  given: number;
  decrypted: number;
  failures: { line: number; message: string }[];
}

/** Reads a file with one JSON object a line. @throws CliError with the line that is none */
export async function readSamples(path: string): Promise<Sample[]> {
  const text = await readRegularText(path, { maximumBytes: maxSampleBytes }).catch((error: unknown) => {
    throw localError(error instanceof Error ? error.message : String(error), error);
  });
  return text
    .split('\n')
    .flatMap((content, index) => (content.trim() === '' ? [] : [sampleIn(path, content, index + 1)]));
}

function sampleIn(path: string, content: string, line: number): Sample {
  const read = sampleSchema.safeParse(jsonIn(content));
  if (!read.success) {
    const form = '{"ciphertext": BASE64, "encryption_context": {…}}';
    throw localError(`${path}, line ${line}, is not of the form ${form}`, undefined);
  }
  const { ciphertext, encryption_context: context } = read.data;
  return { line, ciphertext: Buffer.from(ciphertext, 'base64'), context: new Map(Object.entries(context)) };
}

function jsonIn(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** Decrypts each sample under the restored keys. Plaintexts are destroyed at once. */
export async function decryptSamples(
  samples: readonly Sample[],
  catalog: Pick<KeyCatalog, 'findMaterial'>,
  connectedCluster: (clusterId: string) => HsmCluster | undefined,
  clock: Clock,
): Promise<SampleOutcome> {
  const outcome: SampleOutcome = { given: samples.length, decrypted: 0, failures: [] };
  for (const sample of samples) {
    try {
      await decryptSample(sample, catalog, connectedCluster, clock);
      outcome.decrypted += 1;
    } catch (error) {
      outcome.failures.push({ line: sample.line, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return outcome;
}

async function decryptSample(
  { ciphertext, context }: Sample,
  catalog: Pick<KeyCatalog, 'findMaterial'>,
  connectedCluster: (clusterId: string) => HsmCluster | undefined,
  clock: Clock,
): Promise<void> {
  const blob = parseCiphertextBlob(ciphertext);
  const material = await catalog.findMaterial(blob.materialId);
  if (material === undefined || material.keyId !== blob.keyId) throw new Error('The archive does not have its key.');
  const cluster = connectedCluster(material.clusterId);
  if (cluster === undefined) throw new Error(`Cluster ${material.clusterId} is not in the drill.`);
  const additionalData = ciphertextAdditionalData(headerOf(material), canonicalContext(context));
  const request = { material: materialReference(material), encrypted: blob, additionalData };
  const plaintext = await cluster.perform('decrypt', request, { deadlineMs: clock.monotonicMs() + callTimeoutMs });
  plaintext.destroy();
}
