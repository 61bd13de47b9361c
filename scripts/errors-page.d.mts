import type { ErrorExplanation } from '../src/error-guide.js';
import type { ErrorCode, Retryability } from '../src/errors.js';

export function errorsPage(from: {
  errorCodes: readonly ErrorCode[];
  errorGuide: Record<ErrorCode, ErrorExplanation>;
  retryability: Record<ErrorCode, Retryability>;
  statusName: (code: ErrorCode) => string;
}): string;
