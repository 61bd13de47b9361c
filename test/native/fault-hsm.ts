/** The fault-injecting module in front of a real one: an HSM that hangs, fails, forgets and locks PINs on command. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeModuleOptions } from '../../src/hsm/native.js';

/** Built beside the addon, from `test/fault-hsm/`. */
const faultHsmLibrary = fileURLToPath(new URL('../../native/build/Release/fault-hsm.so', import.meta.url));

/** Numbers that change the HSM's behaviour at once, in the order of `Setting` in `test/fault-hsm/control_page.h`. */
export const faultSettings = [
  'script',
  'released',
  'removal',
  'removals',
  'lastRemoval',
  'sessionsLost',
  'sessionLostRv',
  'loginsLost',
  'renumberings',
  'renumberAtStart',
  'slotShift',
  'tokenFull',
  'sessionLimit',
  'rwSessionLimit',
  'pinLimit',
  'wrongPins',
  'tokenFlags',
  'builtinCipher',
  'diesToo',
] as const;
export type FaultSetting = (typeof faultSettings)[number];

/**
 * The numbers that `heal` sets to 0; wrong PINs stay counted, and a cipher or a slot number does not change while the HSM runs.
 */
const conditions: readonly FaultSetting[] = [
  'removal',
  'renumberAtStart',
  'tokenFull',
  'sessionLimit',
  'rwSessionLimit',
  'pinLimit',
  'tokenFlags',
  'diesToo',
];

/** The ways in which a device can be missing: `Removal` in `test/fault-hsm/device.h` says how each appears. */
export const removalKinds = ['device-removed', 'device-error', 'softhsm', 'not-initialized'] as const;
export type RemovalKind = (typeof removalKinds)[number];

/** Calls of one function, over all processes. */
export interface FunctionCounts {
  entered: number;
  returned: number;
  /** Answers other than CKR_OK. */
  failed: number;
  /** Total time of the calls that returned. */
  insideMs: number;
}

/** One call that returned. Times are in milliseconds of `process.hrtime`. */
export interface TracedCall {
  number: number;
  functionName: string;
  session: number;
  rv: number;
  startMs: number;
  endMs: number;
  processId: number;
  threadId: number;
}

/** Offsets in the control page, in bytes. */
const wordBytes = 8;
const countsOffset = 64 * wordBytes;
const countsBytes = 40 + 4 * wordBytes;
const countsRows = 96;
const censusRows = 256;
const callsOffset = countsOffset + countsRows * countsBytes + censusRows * 4 * wordBytes;
const traceOffset = callsOffset + wordBytes;
const traceRows = 4096;
const traceBytes = 8 * wordBytes;

/** One HSM's controls. They take effect at once, in every process that has loaded it, and outlive all of them. */
export class FaultHsm {
  /** How to load it; each private instance with another folder is an HSM of its own. */
  readonly module: NativeModuleOptions;
  /** The control folder. */
  readonly folder: string;
  readonly #page: string;

  constructor(folder: string, module: NativeModuleOptions) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.folder = folder;
    this.module = module;
    this.#page = join(folder, 'page');
    if (!existsSync(this.#page)) writeFileSync(this.#page, '', { mode: 0o600 });
  }

  /** Replaces the script, e.g. `C_Encrypt hang`, `C_Login rv 0xa4`, `latency * 5`: see docs/faults.md. */
  obey(...lines: string[]): void {
    const before = this.setting('script');
    const next = before + 1;
    const path = join(this.folder, `script.${next}`);
    writeFileSync(`${path}.new`, `${lines.join('\n')}\n`);
    renameSync(`${path}.new`, path);
    this.set('script', next);
    for (const kind of ['script', 'progress']) rmSync(join(this.folder, `${kind}.${before}`), { force: true });
  }

  /**
   * Forwards everything again: no script, no condition; hung calls continue. Lost sessions stay lost, wrong PINs stay
   * counted.
   */
  heal(): void {
    if (!existsSync(this.#page)) return;
    for (const condition of conditions) if (this.setting(condition) !== 0) this.set(condition, 0);
    this.obey();
  }

  /** Lets presently hanging calls continue; the script stays. */
  release(): void {
    this.#increase('released');
  }

  /** The device goes away. */
  remove(kind: RemovalKind): void {
    const value = removalKinds.indexOf(kind) + 1;
    this.set('lastRemoval', value);
    this.set('removal', value);
    this.#increase('removals');
    if (kind !== 'device-removed') return;
    this.#increase('sessionsLost');
    this.#increase('loginsLost');
  }

  /** The device returns; the kind says what else must happen. */
  restore(): void {
    this.set('removal', 0);
  }

  /** Sessions that are open now answer `rv` (by default CKR_SESSION_HANDLE_INVALID). */
  loseSessions(rv = 0): void {
    this.set('sessionLostRv', rv);
    this.#increase('sessionsLost');
  }

  /** The login is lost until `C_Login`. */
  loseLogin(): void {
    this.#increase('loginsLost');
  }

  /** Each object handle known by now becomes valid for another object. */
  renumberObjects(): void {
    this.#increase('renumberings');
  }

  setting(name: FaultSetting): number {
    return this.#words(faultSettings.indexOf(name) * wordBytes, 1)[0] ?? 0;
  }

  set(name: FaultSetting, value: number): void {
    const word = Buffer.alloc(wordBytes);
    word.writeBigUInt64LE(BigInt(value));
    const file = openSync(this.#page, 'r+');
    writeSync(file, word, 0, wordBytes, faultSettings.indexOf(name) * wordBytes);
    closeSync(file);
  }

  /** How often a function was called so far. */
  calls(functionName: string): number {
    return this.counts(functionName).entered;
  }

  counts(functionName: string): FunctionCounts {
    const table = this.#read(countsOffset, countsRows * countsBytes);
    for (let row = 0; row < countsRows; row += 1) {
      const at = row * countsBytes;
      if (textAt(table, at, 40) !== functionName) continue;
      const [entered = 0, returned = 0, failed = 0, insideNs = 0] = wordsAt(table, at + 40, 4);
      return { entered, returned, failed, insideMs: insideNs / 1e6 };
    }
    return { entered: 0, returned: 0, failed: 0, insideMs: 0 };
  }

  /** Calls that are inside a function now; those of processes that died there count for ever. */
  inside(functionName: string): number {
    const { entered, returned } = this.counts(functionName);
    return entered - returned;
  }

  /** Sessions open now, over all processes. */
  sessions(): number {
    const census = wordsAt(
      this.#read(countsOffset + countsRows * countsBytes, censusRows * 4 * wordBytes),
      0,
      censusRows * 4,
    );
    let sum = 0;
    for (let row = 0; row < censusRows; row += 1) if (census[row * 4] !== 0) sum += census[row * 4 + 1] ?? 0;
    return sum;
  }

  /** How many calls have returned so far, of all functions. */
  returned(): number {
    return this.#words(callsOffset, 1)[0] ?? 0;
  }

  /** The last 4,096 calls that returned, oldest first. */
  trace(): TracedCall[] {
    const names = this.#names();
    const table = this.#read(traceOffset, traceRows * traceBytes);
    const calls: TracedCall[] = [];
    for (let row = 0; row < traceRows; row += 1) {
      const [number = 0, index = 0, session = 0, rv = 0, startNs = 0, endNs = 0, processId = 0, threadId = 0] = wordsAt(
        table,
        row * traceBytes,
        8,
      );
      if (number === 0) continue;
      const times = { startMs: startNs / 1e6, endMs: endNs / 1e6 };
      calls.push({ number, functionName: names[index] ?? '', session, rv, ...times, processId, threadId });
    }
    return calls.sort((left, right) => left.number - right.number);
  }

  #names(): string[] {
    const table = this.#read(countsOffset, countsRows * countsBytes);
    return Array.from({ length: countsRows }, (_, row) => textAt(table, row * countsBytes, 40));
  }

  #increase(name: FaultSetting): void {
    this.set(name, this.setting(name) + 1);
  }

  #words(offset: number, count: number): number[] {
    return wordsAt(this.#read(offset, count * wordBytes), 0, count);
  }

  /** Reads from the page; unwritten entries read as zeros. */
  #read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const file = openSync(this.#page, 'r');
    readSync(file, bytes, 0, length, offset);
    closeSync(file);
    return bytes;
  }
}

function textAt(bytes: Buffer, offset: number, length: number): string {
  return bytes.toString('latin1', offset, offset + length).replace(/\0.*$/, '');
}

/** Reads words as numbers. Session handles of up to 64 bits lose their last digits; counts do not. */
function wordsAt(bytes: Buffer, offset: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Number(bytes.readBigUInt64LE(offset + index * wordBytes)));
}

/** A real module, and the folder for its faults. */
export interface RealHsm {
  libraryPath: string;
  environment: Record<string, string>;
  directory: string;
  /** The string that `C_Initialize` requires (NSS). */
  initializationString?: string;
  /** Whether a copy of the library file cannot be loaded (NSS finds its other libraries beside its own). */
  shared?: boolean;
}

/**
 * Puts the module in front of a real one; its controls are in `<name>.control` of the real one's folder. With a serial
 * number it shows the token as another one with the same objects, like a vendor's replication.
 */
export function putFaultsBefore(hsm: RealHsm, name = 'fault', serialNumber = ''): FaultHsm {
  const folder = join(hsm.directory, `${name}.control`);
  const environment = {
    ...hsm.environment,
    HOLDFAST_FAULT_MODULE: hsm.libraryPath,
    HOLDFAST_FAULT_CONTROL: folder,
    ...(hsm.shared === true ? { HOLDFAST_FAULT_MODULE_SHARED: '1' } : {}),
    ...(serialNumber === '' ? {} : { HOLDFAST_FAULT_SERIAL: serialNumber }),
  };
  const initializationString = hsm.initializationString ?? null;
  return new FaultHsm(folder, {
    libraryPath: faultHsmLibrary,
    privateInstance: true,
    environment,
    initializationString,
  });
}
