import { randomInt } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** A new cluster id: `cluster-` and 11 random characters (AWS KMS API Reference, CloudHsmClusterId: 19 to 24 in all). */
export function newClusterId(): string {
  return `cluster-${Array.from({ length: 11 }, () => alphabet[randomInt(alphabet.length)]).join('')}`;
}
