import { randomInt } from 'node:crypto';
import type { ClusterDescription } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import { Secret } from '../secret.js';

/** A random PIN with fewer bits is refused: tokens count wrong ones, but a copy of a token does not. */
const leastBits = 128;

/** A PIN has a character of each that its alphabet has: NSS in FIPS mode asks for three. */
const classes = [/[a-z]/, /[A-Z]/, /[0-9]/];

/**
 * A random PIN from the system's generator, of the alphabet and length that the members want, within their limits and
 * the cluster's.
 * @throws VALIDATION if these limits leave less than 128 bits
 */
export function generatePin({
  pinRules: { alphabet, length: wanted, minimumBytes, maximumBytes },
  maximumPinLength,
}: Pick<ClusterDescription, 'pinRules' | 'maximumPinLength'>): Secret {
  const bitsOfOne = Math.log2(Math.max(1, alphabet.length));
  const longest = Math.min(maximumPinLength, maximumBytes ?? maximumPinLength);
  const length = Math.min(longest, Math.max(wanted, minimumBytes ?? 0, Math.ceil(leastBits / bitsOfOne)));
  const bits = Math.floor(length * bitsOfOne);
  if (bits < leastBits) throw tooFewBits(length, alphabet.length, bits);
  const needed = classes.filter((of) => of.test(alphabet));
  for (;;) {
    const bytes = Uint8Array.from({ length }, () => alphabet.charCodeAt(randomInt(alphabet.length)));
    if (needed.every((of) => bytes.some((byte) => of.test(String.fromCharCode(byte))))) return new Secret(bytes);
    bytes.fill(0);
  }
}

function tooFewBits(length: number, characters: number, bits: number): HoldfastError {
  return new HoldfastError(
    'VALIDATION',
    `A random PIN of ${length} characters out of ${characters} has ${bits} bits, and ${leastBits} are needed. ` +
      'Raise maximumPinLength of the cluster if its tokens allow that, or give a PIN.',
  );
}
