/** A PKCS#11 mechanism that a kind of key needs, for messages by its name in the standard. */
export interface Mechanism {
  name: string;
  /** CK_MECHANISM_TYPE. */
  value: number;
}

/** Those of `needed` that a token does not list (C_GetMechanismList). */
export function missingMechanisms(needed: readonly Mechanism[], listed: readonly number[]): Mechanism[] {
  return needed.filter(({ value }) => !listed.includes(value));
}
