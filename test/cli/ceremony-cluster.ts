/** A wrapped cluster for the ceremony's command: a SoftHSM with one token for each member, PIN files, and a configuration. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { SignedRecord } from '../../src/cli/ceremony/record.js';
import { putFaultsBefore, type FaultHsm, type RealHsm } from '../native/fault-hsm.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { holdfast, type Invocation, type Outcome } from './session.js';

/** The PINs of every member; each has its own SO PIN. */
export const userPin = 'user-1234567';
export const officerPin = (member: string): string => `officer-of-${member}-1234`;
export const clusterId = 'cluster-2a3b4c5d6e7';

/** A module of the configuration. */
interface ModuleEntry {
  path: string;
  environment: Record<string, string>;
  profile?: string;
  initializationString?: string;
  privateInstance?: boolean;
}

/** A token on another module than SoftHSM. */
export interface OtherHsm extends RealHsm {
  tokenLabel: string;
  dispose(): void;
}

export class CeremonyCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-ceremony-'));
  readonly config = join(this.folder, 'holdfast.yaml');
  readonly #hsms = new Map<string, SoftHsm>();
  /** Members on other modules. */
  readonly #others = new Map<string, OtherHsm>();
  readonly #modules = new Map<string, ModuleEntry>();

  constructor(members: readonly string[]) {
    this.write('user.pin', userPin);
    for (const name of members) this.addMember(name);
    this.configure();
  }

  /** Makes the HSM of one more member. It is in the configuration after the next `configure`. */
  addMember(name: string): SoftHsm {
    const hsm = createSoftHsm({ tokens: [{ label: `token-${name}`, userPin, soPin: officerPin(name) }] });
    this.#hsms.get(name)?.dispose();
    this.#hsms.set(name, hsm);
    this.#modules.set(name, { path: hsm.libraryPath, environment: { ...hsm.environment } });
    this.write(`${name}.so`, officerPin(name));
    return hsm;
  }

  /** A member of another make. It is in the configuration after the next `configure` that names it. */
  addOther(name: string, hsm: OtherHsm): void {
    const { libraryPath: path, environment, initializationString, shared } = hsm;
    this.#others.set(name, hsm);
    this.#modules.set(name, {
      ...{ path, environment, privateInstance: shared !== true },
      ...(initializationString === undefined ? {} : { initializationString }),
    });
  }

  hsm(name: string): SoftHsm {
    const hsm = this.#hsms.get(name);
    if (hsm === undefined) throw new Error(`There is no member ${name}.`);
    return hsm;
  }

  /** Puts a module that misbehaves before a member's, in the configuration too. */
  putFaultsBefore(name: string): FaultHsm {
    const fault = putFaultsBefore(this.hsm(name));
    const { libraryPath: path, environment } = fault.module;
    this.#modules.set(name, { path, environment, profile: 'softhsm' });
    this.configure();
    return fault;
  }

  /** Writes the configuration. @param changes fields of the cluster that differ */
  configure(changes: object = {}, members: readonly string[] = [...this.#hsms.keys()], modules: object = {}): void {
    const cluster = {
      id: clusterId,
      name: 'payments',
      trustAnchorCertificate: 'anchor.pem',
      replication: 'wrapped',
      minimumMembers: 1,
      members: members.map((name) => ({
        ...{ name, module: name },
        tokenLabel: this.#others.get(name)?.tokenLabel ?? `token-${name}`,
      })),
      ...changes,
    };
    const configuration = {
      version: 1,
      identity: { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] },
      listeners: [{ kind: 'unix', path: 'holdfast.sock', principal: 'operator' }],
      principals: { administrators: [{ name: 'operator' }] },
      modules: { ...Object.fromEntries(this.#modules), ...modules },
      clusters: [cluster],
      defaultKeyStore: { cluster: clusterId, pin: { file: 'user.pin' } },
      catalog: { kind: 'sqlite', path: 'catalog.sqlite' },
      sealingKeys: [{ id: 'seal-1', key: { file: 'sealing.key' } }],
      audit: { file: 'audit.log' },
    };
    writeFileSync(this.config, stringify(configuration));
  }

  /** Writes a file that only its owner may read. @returns its path */
  write(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  /** The options that answer every question for these members. */
  answers(members: readonly string[] = [...this.#hsms.keys()]): string[] {
    return [
      '--unattested',
      ...members.flatMap((name) => ['--so-pin-file', `${name}=${join(this.folder, `${name}.so`)}`]),
    ];
  }

  /** Runs `holdfast cluster <command> payments`. */
  run(command: string, words: readonly string[] = [], invocation: Invocation = {}): Promise<Outcome> {
    const line = ['cluster', command, 'payments', ...words, '--config', this.config];
    return holdfast(line, { directory: this.folder, ...invocation });
  }

  /** The same, with JSON as output. */
  async json(
    command: string,
    words: readonly string[] = [],
  ): Promise<{ outcome: Outcome; printed: Record<string, unknown> }> {
    const outcome = await this.run(command, [...words, '--output', 'json']);
    const printed = outcome.stdout === '' ? {} : (JSON.parse(outcome.stdout) as Record<string, unknown>);
    return { outcome, printed };
  }

  record(path: string): SignedRecord {
    return JSON.parse(readFileSync(path, 'utf8')) as SignedRecord;
  }

  /** The operator's acts in the audit log. */
  auditedActs(): Record<string, unknown>[] {
    const lines = readFileSync(join(this.folder, 'audit.log'), 'utf8').trim().split('\n');
    return lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ operation }) => operation !== undefined);
  }

  dispose(): void {
    for (const hsm of [...this.#hsms.values(), ...this.#others.values()]) hsm.dispose();
    rmSync(this.folder, { recursive: true });
  }
}
