import type { PinRules } from '../clusters/hsm-cluster.js';
import type { NativeTokenInfo } from './native.js';
import { type GeneratedPin, lettersAndDigits } from './profiles/profile.js';

/** A member that was opened. */
export interface SeenMember {
  token: Pick<NativeTokenInfo, 'minPinLength' | 'maxPinLength'>;
  generatedPin: GeneratedPin;
}

/** Rules that all of these members accept: the characters that they share, and the narrowest limits. */
export function pinRulesOf(seen: readonly SeenMember[]): PinRules {
  const kinds = seen.length === 0 ? [lettersAndDigits] : seen.map(({ generatedPin }) => generatedPin);
  const [first = lettersAndDigits] = kinds;
  const isShared = (character: string): boolean => kinds.every(({ alphabet }) => alphabet.includes(character));
  const known = (lengths: readonly (number | null)[]): number[] => lengths.filter((length) => length !== null);
  const minima = known(seen.map(({ token }) => token.minPinLength));
  const maxima = known(seen.map(({ token }) => token.maxPinLength));
  return {
    alphabet: Array.from(first.alphabet).filter(isShared).join(''),
    length: Math.max(...kinds.map(({ length }) => length)),
    minimumBytes: minima.length === 0 ? null : Math.max(...minima),
    maximumBytes: maxima.length === 0 ? null : Math.min(...maxima),
  };
}
