/**
 * The canary: a ciphertext with a known answer, kept for each material, that a handle must decrypt before it is used
 * (invariant 3). Its plaintext and additional data are fixed here. The maker and the checker of a canary thus agree.
 */

/**
 * Two bytes that begin no other additional data given to a token: that of ciphertext blobs begins with FF FF
 * (`operations/cryptography/ciphertext-blob.ts`), and an XKS caller's with a u16 length of at most 8,192 (XKS proxy API,
 * "AAD").
 */
const canaryPrefix = Uint8Array.of(0xff, 0xfe);
const canaryLabel = new TextEncoder().encode('holdfast:canary:1');

/** The known answer: the 32 bytes of the material id. It is not secret. `materialId` is 64 hex digits. */
export function canaryPlaintext(materialId: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(materialId, 'hex'));
}

/** The canary's additional data: prefix, versioned label, material id. So a canary proves one material only. */
export function canaryAdditionalData(materialId: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat([canaryPrefix, canaryLabel, Buffer.from(materialId, 'hex')]));
}
