import { requestShapes } from './gen/request-shapes.js';

/** An operation that the published model of AWS KMS describes. */
export type KmsOperationName = keyof typeof requestShapes;
/** The operations that AWS KMS has too. */
export const kmsOperationNames = Object.keys(requestShapes) as KmsOperationName[];
