/** A fingerprint for people: sixteen groups of four hex digits. */
export function grouped(fingerprint: string): string {
  return (fingerprint.match(/.{1,4}/g) ?? []).join(' ');
}

/** The 64 hex digits of a fingerprint, however it is grouped (`ab:cd`, `ABCD 1234`); undefined for other texts. */
export function ungrouped(text: string): string | undefined {
  const digits = text.replaceAll(/[\s:.-]/g, '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}
