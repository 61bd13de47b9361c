/** The fault-injecting module in front of a SoftHSM: an HSM that hangs, fails and locks PINs when a test says so. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeModuleOptions } from '../../src/hsm/native.js';
import type { SoftHsm } from '../softhsm.js';

/** Built beside the addon, from `test/fault-hsm/`. */
export const faultHsmLibrary = fileURLToPath(new URL('../../native/build/Release/fault-hsm.so', import.meta.url));

export interface FaultHsm {
  /** How to load it; each private instance is an HSM of its own. */
  module: NativeModuleOptions;
  /** Replaces the rules, e.g. `C_Encrypt hang`, `C_Login rv 0xa4`, `* delay 5`: see `test/fault-hsm/fault_control.h`. */
  obey(...rules: string[]): void;
  /** Forwards everything again; hung calls go on. */
  heal(): void;
  /** How often a function was called so far. */
  calls(functionName: string): number;
}

/** Puts the module in front of a SoftHSM; its control file and log live in the SoftHSM's folder. */
export function putFaultsBefore(hsm: SoftHsm, name = 'fault'): FaultHsm {
  const control = join(hsm.directory, `${name}.control`);
  const log = join(hsm.directory, `${name}.log`);
  const environment = {
    ...hsm.environment,
    HOLDFAST_FAULT_MODULE: hsm.libraryPath,
    HOLDFAST_FAULT_CONTROL: control,
    HOLDFAST_FAULT_LOG: log,
  };
  return {
    module: { libraryPath: faultHsmLibrary, privateInstance: true, environment, initializationString: null },
    obey: (...rules) => {
      writeFileSync(control, `${rules.join('\n')}\n`);
    },
    heal: () => {
      rmSync(control, { force: true });
    },
    calls: (functionName) => {
      const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
      return lines.filter((line) => line === functionName).length;
    },
  };
}
