/**
 * The canary: a ciphertext with a known answer, kept for each material, that a handle must decrypt before it is used
 * (invariant 3). What is encrypted and under which additional data is fixed here, so that whoever makes a canary
 * and whoever checks it agree.
 */

/**
 * Two bytes that begin no other additional data we ever give to a token: envelopes begin with FF FF
 * (`operations/cryptography/envelope.ts`), and an XKS caller's data with a u16 length of at most 8,192 (XKS proxy API, "AAD").
 */
const canaryPrefix = Uint8Array.of(0xff, 0xfe);
const canaryLabel = new TextEncoder().encode('holdfast:canary:1');

/** The known answer: the 32 bytes of the material id. It is no secret. `materialId` is 64 hex digits. */
export function canaryPlaintext(materialId: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(materialId, 'hex'));
}

/** The canary's additional data: prefix, versioned label, material id. A canary thus proves one material only. */
export function canaryAdditionalData(materialId: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat([canaryPrefix, canaryLabel, Buffer.from(materialId, 'hex')]));
}
