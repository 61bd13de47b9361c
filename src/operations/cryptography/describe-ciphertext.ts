import { ciphertextOverhead, magic, parseCiphertextBlob } from './ciphertext-blob.js';

/** The header fields of a ciphertext. None of it is proved: only the key can do that. */
export interface CiphertextDescription {
  formatVersion: number;
  keyId: string;
  materialId: string;
  algorithm: 'AES_256_GCM';
  nonceBytes: number;
  tagBytes: number;
  /** Equals the length of the plaintext. */
  ciphertextBytes: number;
  /** Length of the whole blob. */
  totalBytes: number;
}

const tagBytes = 16;

/**
 * Reads a ciphertext without a server, a key or a catalog. @returns its description, or why it is not a ciphertext of
 * Holdfast.
 */
export function describeCiphertext(blob: Uint8Array): CiphertextDescription | { problem: string } {
  const problem = whyNone(blob);
  if (problem !== undefined) return { problem };
  try {
    const { keyId, materialId, nonce, ciphertext } = parseCiphertextBlob(blob);
    return {
      formatVersion: blob[magic.length] ?? 0,
      keyId,
      materialId,
      algorithm: 'AES_256_GCM',
      nonceBytes: nonce.length,
      tagBytes,
      ciphertextBytes: ciphertext.length - tagBytes,
      totalBytes: blob.length,
    };
  } catch {
    // The parser answers every fault alike, to give nothing to those who probe it.
    return { problem: 'its header names a kind of key id, an algorithm or a nonce that this format does not have' };
  }
}

function whyNone(blob: Uint8Array): string | undefined {
  if (!magic.every((byte, index) => blob[index] === byte))
    return 'it does not begin with HF, as every ciphertext of Holdfast does';
  const version = blob[magic.length];
  if (version !== 1) return `it has format ${version ?? 'none'}, and this version knows format 1`;
  if (blob.length <= ciphertextOverhead)
    return `it has ${blob.length} bytes, and at least ${ciphertextOverhead + 1} are needed: it was cut off`;
  if (blob.length > ciphertextOverhead + 4_096)
    return `it has ${blob.length} bytes, and at most ${ciphertextOverhead + 4_096} are possible`;
  return undefined;
}
