import { HoldfastError } from '../../errors.js';

/**
 * INVALID_CIPHERTEXT, always in the same words. What was wrong with a ciphertext (its form, its key, its tag, the
 * encryption context) is for the log only: an attacker who probes would learn from the difference.
 */
export function invalidCiphertext(cause?: unknown): HoldfastError {
  return new HoldfastError(
    'INVALID_CIPHERTEXT',
    'The ciphertext, or the encryption context that it is bound to, is not valid.',
    { cause },
  );
}
