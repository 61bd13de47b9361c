/** Faults in the PKCS#11 calls that copy a key: in CreateKey and in a repair, on the source and on the target. */
import type { FaultHsm } from '../native/fault-hsm.js';
import { representativeReturnValues } from './fault-kinds.js';

type Act = 'CreateKey' | 'repair';

/** A member's part in an act, and the functions that the act calls there. */
interface Place {
  readonly act: Act;
  readonly role: 'source' | 'target';
  readonly functionNames: readonly string[];
}

const proof = ['C_DecryptInit', 'C_Decrypt'];

const places: readonly Place[] = [
  {
    act: 'CreateKey',
    role: 'source',
    functionNames: [
      'C_GenerateKey',
      'C_GetAttributeValue',
      'C_GenerateRandom',
      'C_EncryptInit',
      'C_Encrypt',
      ...proof,
      'C_WrapKey',
    ],
  },
  { act: 'CreateKey', role: 'target', functionNames: ['C_GetAttributeValue', 'C_UnwrapKey', ...proof] },
  { act: 'repair', role: 'source', functionNames: ['C_GetAttributeValue', 'C_WrapKey'] },
  {
    act: 'repair',
    role: 'target',
    functionNames: ['C_FindObjectsInit', 'C_FindObjects', 'C_GetAttributeValue', 'C_UnwrapKey', ...proof],
  },
];

interface CopyFault {
  readonly name: string;
  readonly begin: (fault: FaultHsm, functionName: string, operationTimeoutMs: number, lostMaterialId: string) => void;
  /** Only in these functions; in all if left out. */
  readonly functionNames?: readonly string[];
  /** Only in this act. */
  readonly act?: Act;
}

const inFunction = (name: string, action: string, functionNames?: readonly string[]): CopyFault => ({
  name,
  begin: (fault, functionName) => fault.obey(`${functionName} ${action}`),
  ...(functionNames === undefined ? {} : { functionNames }),
});

const making = ['C_GenerateKey', 'C_UnwrapKey'];

export const copyFaults: readonly CopyFault[] = [
  ...representativeReturnValues().map(({ name, value }) => inFunction(`answers ${name}`, `rv ${value}`)),
  inFunction('hangs', 'hang'),
  inFunction('hangs, then answers CKR_DEVICE_ERROR', 'hang 0x30'),
  {
    name: 'is slow beyond the deadline',
    begin: (fault, functionName, timeoutMs) => fault.obey(`${functionName} delay ${timeoutMs * 2}`),
  },
  inFunction('says OK and does nothing', 'pretend', [...making, 'C_WrapKey', 'C_Encrypt', 'C_Decrypt']),
  inFunction('answers another object’s handle', 'wrong-handle', [...making, 'C_FindObjects']),
  inFunction('answers the handle 0', 'zero', ['C_GenerateKey', 'C_UnwrapKey']),
  inFunction('makes a key of another value, or a blob without sense', 'garbage', ['C_UnwrapKey', 'C_WrapKey']),
  inFunction('gives a blob that is too short', 'short 8', ['C_WrapKey']),
  inFunction('gives outputs with one bit wrong', 'flip', ['C_WrapKey', 'C_Encrypt']),
  {
    // For other keys nobody could notice it: R9 of the threat model.
    name: 'decrypts wrongly under the copy',
    begin: (fault, functionName, _timeoutMs, id) => fault.obey(`${functionName} key ${id} flip`),
    functionNames: ['C_Decrypt'],
    act: 'repair',
  },
  inFunction('finds nothing', 'no-objects', ['C_FindObjects']),
  inFunction('loses its sessions during the call', 'times 1 lose-sessions'),
  inFunction('loses its login during the call', 'times 1 lose-login'),
  inFunction('is unplugged during the call', 'times 1 remove device-removed'),
  inFunction('loses its token during the call', 'times 1 remove softhsm'),
  { name: 'is full', begin: (fault) => fault.set('tokenFull', 1), functionNames: making },
];

/** One fault in one call of one act. */
export interface CopyCell extends Pick<Place, 'act' | 'role'> {
  readonly fault: CopyFault;
  readonly functionName: string;
}

/** Every fault in every function that can have it. */
export function copyCells(fault: CopyFault): CopyCell[] {
  const possible = places.filter(({ act }) => fault.act === undefined || act === fault.act);
  return possible.flatMap(({ act, role, functionNames }) =>
    functionNames
      .filter((name) => fault.functionNames?.includes(name) ?? true)
      .map((functionName) => ({ act, role, fault, functionName })),
  );
}

export const copyCellName = ({ act, role, functionName }: CopyCell): string => `${functionName} of ${act}, ${role}`;
