import type { ErrorExplanation } from '../src/error-guide.js';
import type { ErrorCode } from '../src/errors.js';

export function errorsPage(from: {
  errorCodes: readonly ErrorCode[];
  errorGuide: Record<ErrorCode, ErrorExplanation>;
  statusName: (code: ErrorCode) => string;
}): string;
