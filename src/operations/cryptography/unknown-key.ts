import type { Scope } from '../../calls/scope.js';
import type { CiphertextHeader } from './ciphertext-blob.js';

/**
 * The cause behind INVALID_CIPHERTEXT when the ciphertext is well formed and names a key or key material that the
 * catalog does not know. No HSM was asked. It is for the log, the audit log and administrators.
 */
export class UnknownKeyError extends Error {
  override readonly name = 'UnknownKeyError';
  /** The key id in the ciphertext: its origin is unproved. */
  readonly keyId: string;
  readonly materialId: string;

  /** @param scope where the key was searched; undefined if the key is known and its material is not */
  constructor({ keyId, materialId }: CiphertextHeader, scope: Scope | undefined) {
    super(
      scope === undefined
        ? `The ciphertext names key ${keyId}, which this catalog knows, and key material ${materialId}, which it does not know. ` +
            'The catalog may be an older backup.'
        : `The ciphertext names key ${keyId}, which this catalog does not know in account ${scope.account} and region ` +
            `${scope.region}. It was made elsewhere, or the catalog is not the one that it was made with.`,
    );
    this.keyId = keyId;
    this.materialId = materialId;
  }
}
