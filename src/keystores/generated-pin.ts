import { randomInt } from 'node:crypto';
import { Secret } from '../secret.js';

/** The classes of characters of which a generated PIN has at least one each: NSS in FIPS mode asks for three. */
const classes = ['abcdefghijkmnopqrstuvwxyz', 'ABCDEFGHJKLMNPQRSTUVWXYZ', '23456789'];

/** 24 of 57 characters: 139 bits. Shorter than AWS's maximum of 32. */
const generatedLength = 24;

/** A random PIN from the system's generator, as long as the cluster allows. */
export function generatePin(maximumPinLength: number): Secret {
  const alphabet = classes.join('');
  const length = Math.min(generatedLength, maximumPinLength);
  for (;;) {
    const bytes = Uint8Array.from({ length }, () => alphabet.charCodeAt(randomInt(alphabet.length)));
    const hasAll = classes.every((of) => bytes.some((byte) => of.includes(String.fromCharCode(byte))));
    if (hasAll) return new Secret(bytes);
    bytes.fill(0);
  }
}
