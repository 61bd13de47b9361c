import type { NativeTokenInfo } from '../native.js';
import { cloudhsm } from './cloudhsm.js';
import { generic } from './generic.js';
import { kryoptic } from './kryoptic.js';
import { luna } from './luna.js';
import { nshield } from './nshield.js';
import { nss } from './nss.js';
import type { ProfileName, Recognition, VendorProfile } from './profile.js';
import { softhsm } from './softhsm.js';

/** Every vendor profile; `generic` is for modules that none of the others recognises. */
export const vendorProfiles: Readonly<Record<ProfileName, VendorProfile>> = {
  softhsm,
  nss,
  kryoptic,
  cloudhsm,
  luna,
  nshield,
  generic,
};

/** A module's and a token's description of themselves (`C_GetInfo`, `C_GetTokenInfo`). */
export type Introduction = Pick<
  NativeTokenInfo,
  'libraryManufacturer' | 'libraryDescription' | 'manufacturer' | 'model'
>;

/** The profile that recognises the module, or `generic`. */
export function detectProfile(introduction: Introduction): VendorProfile {
  return recognisingProfiles(introduction)[0] ?? generic;
}

/** All profiles that recognise the module. More than one if its texts contradict each other: some can be configured. */
export function recognisingProfiles(introduction: Introduction): VendorProfile[] {
  return Object.values(vendorProfiles).filter(({ recognitions }) =>
    recognitions.some((recognition) => recognises(recognition, introduction)),
  );
}

function recognises(recognition: Recognition, introduction: Introduction): boolean {
  const wanted = [
    [recognition.libraryManufacturer, introduction.libraryManufacturer],
    [recognition.libraryDescription, introduction.libraryDescription],
    [recognition.tokenManufacturer, introduction.manufacturer],
    [recognition.tokenModel, introduction.model],
  ] as const;
  return wanted.every(([pattern, text]) => pattern === undefined || pattern.test(text));
}
