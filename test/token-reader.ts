/**
 * A second opinion on a token: a separate program (`test/token-reader/`), in a process and a PKCS#11 session of its
 * own, without any part of the addon. It can also tamper with a token, as anyone with the PIN could.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SoftHsm } from './softhsm.js';

/** Built beside the addon. */
const program = fileURLToPath(new URL('../native/build/Release/token-reader', import.meta.url));

/** The CK_RV in place of a value that the token did not reveal. */
export interface Untold {
  rv: number;
}

/** An object; bytes in hex, the label as text. */
export interface TokenObject {
  CKA_CLASS: number;
  CKA_LABEL: string;
  CKA_ID: string;
  CKA_VALUE: string | Untold;
  [attribute: string]: unknown;
}

/** CK_OBJECT_CLASS, PKCS#11 v2.40 §4.9. */
const secretKeyClass = 4;

/** CK_TOKEN_INFO.flags, PKCS#11 v2.40 §3.2. */
export const userPinCountLow = 0x1_0000;

/** Reads one token, and tampers with it. */
export class TokenReader {
  readonly #hsm: SoftHsm;
  readonly #tokenLabel: string;
  readonly #pin: string;

  constructor(hsm: SoftHsm, tokenLabel: string, pin: string) {
    this.#hsm = hsm;
    this.#tokenLabel = tokenLabel;
    this.#pin = pin;
  }

  /** Every object that the user sees. */
  list(): TokenObject[] {
    const objects = this.#run('list') as Record<string, unknown>[];
    return objects.map((object) => ({
      ...object,
      CKA_CLASS: Number(object['CKA_CLASS']),
      CKA_VALUE: object['CKA_VALUE'] as string | Untold,
      CKA_LABEL: Buffer.from(told(object['CKA_LABEL']), 'hex').toString('utf8'),
      CKA_ID: told(object['CKA_ID']),
    }));
  }

  secretKeys(): TokenObject[] {
    return this.list().filter((object) => object.CKA_CLASS === secretKeyClass);
  }

  /** The objects with this CKA_ID (hex). */
  withId(id: string): TokenObject[] {
    return this.secretKeys().filter((object) => object.CKA_ID === id);
  }

  /** Puts an AES key of known value on the token. */
  plant(id: string, label: string, value: Uint8Array): void {
    this.#change('plant', id, hexOf(label), Buffer.from(value).toString('hex'));
  }

  /** Makes the token generate a key: its attributes are those of a genuine one. */
  generate(id: string, label: string): void {
    this.#change('generate', id, hexOf(label));
  }

  /** Destroys every secret key with this CKA_ID. */
  destroy(id: string): void {
    this.#change('destroy', id);
  }

  /** Tries to change a flag. @returns the CK_RV. */
  tryChange(id: string, attribute: string, value: boolean): number {
    return (this.#run('change', id, attribute, String(value)) as Untold).rv;
  }

  /** Tries to make a copy with a flag changed. @returns the CK_RV. */
  tryCopy(id: string, attribute: string, value: boolean): number {
    return (this.#run('copy', id, attribute, String(value)) as Untold).rv;
  }

  /** CK_TOKEN_INFO.flags; it does not log in, which would reset a PIN count. */
  flags(): number {
    return (this.#run('flags') as { flags: number }).flags;
  }

  #change(command: string, ...given: string[]): void {
    const { rv } = this.#run(command, ...given) as Untold;
    if (rv !== 0) throw new Error(`${command} was answered with 0x${rv.toString(16)}.`);
  }

  #run(command: string, ...given: string[]): unknown {
    const output = execFileSync(program, [this.#hsm.libraryPath, this.#tokenLabel, command, ...given], {
      env: { ...process.env, ...this.#hsm.environment },
      input: command === 'flags' ? '\n' : `${this.#pin}\n`,
    });
    return JSON.parse(output.toString('utf8'));
  }
}

/** A half-made object may lack its label and id: they read as empty. */
function told(bytes: unknown): string {
  return typeof bytes === 'string' ? bytes : '';
}

function hexOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex');
}
