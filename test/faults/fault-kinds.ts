/** Every way in which the HSM of the matrix fails, and the expected outcome. */
import { loadAddon } from '../../src/hsm/native.js';
import type { NativeReturnValue } from '../../src/hsm/native-return-value.js';
import type { FaultHsm, RemovalKind } from '../native/fault-hsm.js';

export interface FaultKind {
  /** The row's name in docs/faults/outcomes.md. */
  name: string;
  begin(fault: FaultHsm, operationTimeoutMs: number): void;
  /** Makes the HSM well again; nothing else is done to bring it back. */
  end(fault: FaultHsm): void;
  /** The expected answers of a single member: errors, errors or success, or only success. */
  alone: 'fails' | 'may pass' | 'passes';
  /** Whether an operator has to act, because the member must not return by itself. */
  needsOperator?: boolean;
  /** The maximum number of C_Login calls while it is ill; unlimited if left out. */
  mostLogins?: number;
  /** Only these operations are affected; all if left out. */
  operations?: readonly string[];
}

/** The first functions of each operation's work: the fault affects callers, and recovery stays possible. */
export const workFunctions = [
  'C_EncryptInit',
  'C_DecryptInit',
  'C_GenerateRandom',
  'C_GenerateKey',
  'C_FindObjectsInit',
  'C_DestroyObject',
];

type Rest = Omit<FaultKind, 'name' | 'begin' | 'end'>;

function kind(name: string, begin: FaultKind['begin'], rest: Rest = { alone: 'fails' }): FaultKind {
  return { name, begin, end: (fault) => fault.heal(), ...rest };
}

/** Every function of the work has the same fault. */
function onWork(name: string, action: (operationTimeoutMs: number) => string, rest?: Rest): FaultKind {
  const begin: FaultKind['begin'] = (fault, timeoutMs) =>
    fault.obey(...workFunctions.map((each) => `${each} ${action(timeoutMs)}`));
  return kind(name, begin, rest);
}

/** Return values that the table treats in the same way form a class; tests use one value of each class. */
export function representativeReturnValues(): NativeReturnValue[] {
  const classes = new Map<string, NativeReturnValue>();
  for (const row of loadAddon().returnValues()) {
    const { code, transient, poisonsSession, poisonsMember, countsAgainstBreaker, name } = row;
    const key = JSON.stringify([code, transient, poisonsSession, poisonsMember, countsAgainstBreaker]);
    if (name !== 'CKR_OK' && !classes.has(key)) classes.set(key, row);
  }
  return [...classes.values()];
}

const answers = representativeReturnValues().map(({ name, value }) => onWork(`answers ${name}`, () => `rv ${value}`));

/** SoftHSM's random numbers come from its process, and continue without a token. */
const withToken = [
  'Encrypt',
  'Decrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncrypt',
  'CreateKey',
  'inventory',
  'destroy',
];

function removed(how: RemovalKind): FaultKind {
  const rest: Rest = how === 'softhsm' ? { alone: 'fails', operations: withToken } : { alone: 'fails' };
  return kind(`is removed (${how})`, (fault) => fault.remove(how), rest);
}

const passing = { alone: 'may pass' } as const;

function relogin(fault: FaultHsm, ...script: string[]): void {
  fault.obey(...script);
  fault.loseLogin();
}

const connection: FaultKind[] = [
  removed('device-removed'),
  removed('device-error'),
  removed('softhsm'),
  removed('not-initialized'),
  kind('loses its sessions', (fault) => fault.loseSessions(), passing),
  kind('closes its sessions (CKR_SESSION_CLOSED)', (fault) => fault.loseSessions(0xb0), passing),
  kind('loses its login', (fault) => fault.loseLogin(), passing),
  kind('comes back under another slot number', (fault) => {
    fault.set('slotShift', fault.setting('slotShift') + 7);
    fault.remove('not-initialized');
  }),
  kind(
    'allows only two sessions',
    (fault) => {
      fault.set('sessionLimit', 2);
      fault.loseSessions();
    },
    passing,
  ),
  kind('loses its login and refuses the PIN', (fault) => relogin(fault, 'C_Login rv 0xa0'), {
    ...passing,
    needsOperator: true,
    mostLogins: 1,
    operations: ['Encrypt', 'Decrypt', 'CreateKey'],
  }),
  // A locked token judges no PIN, so it is asked again, and serves once an operator has unlocked it.
  kind('loses its login and has locked the PIN', (fault) => relogin(fault, 'C_Login rv 0xa4'), passing),
  kind(
    'loses its login after three wrong PINs, at most three',
    (fault) => {
      fault.set('pinLimit', 3);
      fault.set('wrongPins', 3);
      relogin(fault);
    },
    { ...passing, mostLogins: 0 },
  ),
  kind(
    'loses its login with one attempt left for the PIN',
    (fault) => {
      fault.set('pinLimit', 3);
      fault.set('wrongPins', 2);
      relogin(fault);
    },
    { ...passing, mostLogins: 0 },
  ),
];

const withKey = ['Encrypt', 'Decrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext', 'ReEncrypt'];

/** It is unknown whether the HSM has encrypted: it is tried once more, and that is counted. */
const encrypting: Rest = { alone: 'passes', operations: withKey.filter((name) => name !== 'Decrypt') };

const objects: FaultKind[] = [
  onWork('forgets its object handles', () => 'times 1 stale-handle', { alone: 'passes', operations: withKey }),
  kind('loses a session during an encryption', (fault) => fault.obey('C_Encrypt times 1 rv 0xb3'), encrypting),
  kind('forgets the key during an encryption', (fault) => fault.obey('C_Encrypt times 1 rv 0x60'), encrypting),
  kind('returns with renumbered objects', (fault) => {
    fault.renumberObjects();
    fault.remove('device-removed');
  }),
  kind(
    'finds objects that were not asked for',
    (fault) => {
      fault.obey('C_FindObjects wrong-handle');
      fault.loseSessions();
    },
    { ...passing, operations: withKey },
  ),
  kind(
    'finds nothing',
    (fault) => {
      fault.obey('C_FindObjects no-objects');
      fault.loseSessions();
    },
    { ...passing, operations: withKey },
  ),
  kind(
    'returns and decrypts wrongly',
    (fault) => {
      fault.obey('C_Decrypt flip');
      fault.loseSessions();
    },
    { ...passing, operations: withKey },
  ),
  kind('refuses every ciphertext with CKR_GENERAL_ERROR', (fault) => fault.obey('C_Decrypt rv 0x5'), {
    alone: 'fails',
    operations: ['Decrypt'],
  }),
  kind('refuses every ciphertext with CKR_ENCRYPTED_DATA_INVALID', (fault) => fault.obey('C_Decrypt rv 0x40'), {
    alone: 'fails',
    operations: ['Decrypt'],
  }),
  kind('is full', (fault) => fault.set('tokenFull', 1), { alone: 'fails', operations: ['CreateKey'] }),
];

const pace: FaultKind[] = [
  onWork('is slow beyond the deadline', (timeoutMs) => `delay ${timeoutMs * 2}`),
  onWork('hangs until released', () => 'hang'),
  onWork('hangs, then answers CKR_DEVICE_ERROR', () => 'hang 0x30'),
  kind('is slow by 0 to 10 ms at random', (fault) => fault.obey('latency * uniform 0 10'), { alone: 'passes' }),
  kind('is slow by 2 ms in the median, log-normally', (fault) => fault.obey('latency * lognormal 2 1'), {
    alone: 'passes',
  }),
  onWork('fails one call in three at random', () => 'chance 0.33 seed 5 rv 0x6', passing),
];

export const faultKinds: readonly FaultKind[] = [...answers, ...connection, ...objects, ...pace];
