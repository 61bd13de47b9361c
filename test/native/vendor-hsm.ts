/** A stand-in for vendors whose devices are unavailable: see `test/vendor-hsm/vendor_hsm.cc`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeModuleOptions } from '../../src/hsm/native.js';
import type { SoftHsm } from '../softhsm.js';

const vendorHsmLibrary = fileURLToPath(new URL('../../native/build/Release/vendor-hsm.so', import.meta.url));

export interface VendorHsm {
  module: NativeModuleOptions;
  /** Allows at most this many open sessions from now on. */
  limitSessions(count: number): void;
}

/** Puts the stand-in in front of a SoftHSM. One at a time in a process: it loads the real library's shared instance. */
export function putVendorBefore(
  hsm: SoftHsm,
  behaviour: { makesNonces?: boolean; announces?: boolean } = {},
): VendorHsm {
  const sessions = join(hsm.directory, 'sessions');
  const environment = {
    ...hsm.environment,
    HOLDFAST_VENDOR_MODULE: hsm.libraryPath,
    HOLDFAST_VENDOR_SESSIONS: sessions,
    HOLDFAST_VENDOR_NONCE: behaviour.makesNonces === false ? 'none' : 'random',
    HOLDFAST_VENDOR_ANNOUNCES: behaviour.announces === true ? '1' : '0',
  };
  return {
    module: { libraryPath: vendorHsmLibrary, privateInstance: true, environment, initializationString: null },
    limitSessions: (count) => {
      writeFileSync(sessions, String(count));
    },
  };
}
