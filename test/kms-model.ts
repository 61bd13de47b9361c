import { readFileSync } from 'node:fs';
import type { KmsOperationName } from '../src/api/kms-operations.js';

/** A shape of the published AWS KMS API model, as far as tests read it. */
export interface ModelShape {
  type: string;
  /** Length of a text (characters), a blob (bytes) or a list; value of an integer. */
  min?: number;
  max?: number;
  pattern?: string;
  required?: string[];
  enum?: string[];
  members?: Record<string, ModelShape>;
  member?: ModelShape;
}

interface ModelOperation {
  input: { members: Record<string, ModelShape>; required?: string[] };
  output: { members: Record<string, ModelShape> } | null;
}

const file = new URL('../proto/aws/kms-model.json', import.meta.url);

/** The operations of the model, with the fields in its order. */
export const modelOperations = (
  JSON.parse(readFileSync(file, 'utf8')) as { operations: Record<KmsOperationName, ModelOperation> }
).operations;
