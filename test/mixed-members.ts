/** Members of other makes than SoftHSM, for clusters that do not enforce trust. */
import { vendorProfiles } from '../src/hsm/profiles/profiles.js';
import { pin, tokenLabel } from './hsm/fixture.js';
import { createKryopticHsm, findKryopticLibrary } from './kryoptic-hsm.js';
import { putFaultsBefore } from './native/fault-hsm.js';
import { createNssHsm, findNssLibrary } from './nss-hsm.js';
import type { WrappedMember } from './wrapped-cluster.js';

const nssLibrary = findNssLibrary();
const kryopticLibrary = findKryopticLibrary();

/** The makes that this machine has. NSS is in the package libnss3; `npm run test:kryoptic` builds kryoptic. */
export const hasNss = nssLibrary !== undefined;
export const hasKryoptic = kryopticLibrary !== undefined;

/** A process can use one at a time. */
export function newNssMember(name: string): WrappedMember {
  if (nssLibrary === undefined) throw new Error('libsoftokn3.so was not found: install the package libnss3');
  const hsm = createNssHsm(nssLibrary, pin);
  return { name, hsm, fault: putFaultsBefore(hsm), tokenLabel: hsm.tokenLabel, profile: vendorProfiles.nss };
}

export function newKryopticMember(name: string): WrappedMember {
  if (kryopticLibrary === undefined) throw new Error('kryoptic is not built: npm run test:kryoptic');
  const hsm = createKryopticHsm(kryopticLibrary, tokenLabel, pin);
  return { name, hsm, fault: putFaultsBefore(hsm), profile: vendorProfiles.kryoptic };
}
