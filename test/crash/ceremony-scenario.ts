/** Ceremonies whose command is killed, and run again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CeremonyCluster, userPin } from '../cli/ceremony-cluster.js';
import { isShell } from '../e2e/accounting.js';
import { commandLine } from '../e2e/deployment.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { TokenReader } from '../token-reader.js';
import { type CrashPoint, distinctPoints } from './crash-point.js';
import type { CrashScenario } from './sweep.js';

type Command = 'init' | 'add-member' | 'rotate-wrapping-key';

/** A generation is three wrapping keys and a backup key, and one mark. */
const objectsOfGeneration = 5;
const kmsKeyId = 'c0ffee'.repeat(10);
/** Attacks make session objects only: a full sweep has one point of so many. */
const attackStep = 100;

const reader = (cluster: CeremonyCluster, member: string): TokenReader =>
  new TokenReader(cluster.hsm(member), `token-${member}`, userPin);

export interface CeremonyScenarioOptions {
  name: Command;
  /** Members that have a generation before; the others are new. */
  before: readonly string[];
  members: readonly string[];
}

export class CeremonyScenario implements CrashScenario {
  readonly name: Command;
  readonly faults: readonly FaultHsm[];
  readonly #cluster: CeremonyCluster;
  readonly #before: readonly string[];
  readonly #members: readonly string[];
  readonly #generations: number[];
  readonly #kept: string;
  #records = 0;
  /** Of the run that may be killed. */
  #record = '';

  private constructor(cluster: CeremonyCluster, { name, before, members }: CeremonyScenarioOptions) {
    this.name = name;
    this.#cluster = cluster;
    this.#before = before;
    this.#members = members;
    this.#generations = before.length === 0 ? [1] : [1, 2];
    this.faults = members.map((member) => cluster.putFaultsBefore(member));
    this.#kept = join(cluster.folder, 'kept');
    for (const member of members) cpSync(this.#tokens(member), join(this.#kept, member), { recursive: true });
  }

  static async make(options: CeremonyScenarioOptions): Promise<CeremonyScenario> {
    const { before, members } = options;
    const cluster = new CeremonyCluster(before.length === 0 ? members : before);
    if (before.length > 0) {
      const { exitCode, stderr } = await cluster.run('init', cluster.answers());
      if (exitCode !== 0) throw new Error(stderr);
      for (const member of members) if (!before.includes(member)) cluster.addMember(member);
      cluster.configure();
    }
    for (const member of before) reader(cluster, member).generate(kmsKeyId, 'a KMS key');
    return new CeremonyScenario(cluster, options);
  }

  restore(): void {
    for (const member of this.#members) {
      rmSync(this.#tokens(member), { recursive: true });
      cpSync(join(this.#kept, member), this.#tokens(member), { recursive: true });
    }
  }

  async act(begin: () => void): Promise<boolean> {
    begin();
    const words = ['cluster', this.name, 'payments', '--config', this.#cluster.config, ...this.#answers()];
    this.#record = words.at(-1) ?? '';
    const child = spawn(process.execPath, [commandLine, ...words], {
      cwd: this.#cluster.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    if (child.signalCode === null && child.exitCode !== 0) throw new Error(said);
    return child.signalCode === 'SIGKILL';
  }

  async recover(): Promise<string[]> {
    // With its record a rotation is over: the next one is another.
    if (!existsSync(this.#record) || this.name !== 'rotate-wrapping-key') {
      const { outcome } = await this.#cluster.json(this.name, this.#answers());
      if (outcome.exitCode !== 0) return [`the next run: ${outcome.stderr}`];
    }
    const { outcome: shown, printed } = await this.#cluster.json('status');
    const members = printed['members'] as { name: string; generations: { number: number; digest: string }[] }[];
    const newest = members.map(({ generations }) => generations.at(-1));
    return [
      ...(shown.exitCode === 0 ? [] : [`status: ${shown.stderr}`]),
      ...(new Set(newest.map((generation) => JSON.stringify(generation))).size === 1 ? [] : ['the members differ']),
      ...members.flatMap(({ name, generations }) => this.#objectProblems(name, generations.length)),
      ...members
        .filter(({ generations }) => generations.at(-1)?.number !== this.#generations.at(-1))
        .map(({ name, generations }) => `${name} has ${JSON.stringify(generations)}`),
    ];
  }

  choose(points: readonly CrashPoint[]): CrashPoint[] {
    const attacks = startOfAttacks(points);
    const ofAttacks = points.slice(attacks).filter((_, index) => index % attackStep === 0);
    return [...distinctPoints(points.slice(0, attacks)), ...ofAttacks];
  }

  /** Before and after each member's mark, which is its last object before the attacks. */
  marks(points: readonly CrashPoint[]): CrashPoint[] {
    const carrying = points.slice(0, startOfAttacks(points));
    return this.faults.flatMap((_, index) => {
      const isMark = ({ member, functionName }: CrashPoint): boolean =>
        member === index && functionName === 'C_CreateObject';
      const ordinal = carrying.findLast(isMark)?.ordinal;
      return carrying.filter((point) => isMark(point) && point.ordinal === ordinal && point.place !== 'in');
    });
  }

  dispose(): void {
    this.#cluster.dispose();
  }

  /** Whether the token has its generations, the KMS key that it had, and nothing half-made. */
  #objectProblems(member: string, generations: number): string[] {
    // An object that SoftHSM had only begun to write has no name and no key: nobody can know whose it was.
    const objects = reader(this.#cluster, member)
      .list()
      .filter((object) => !isShell(object));
    const kmsKeys = objects.filter(({ CKA_ID }) => CKA_ID === kmsKeyId).length;
    const wanted = this.#before.includes(member) ? 1 : 0;
    if (kmsKeys === wanted && objects.length === generations * objectsOfGeneration + wanted) return [];
    return [`${member} has ${objects.map(({ CKA_CLASS, CKA_LABEL }) => `${CKA_CLASS} ${CKA_LABEL}`).join(', ')}`];
  }

  #answers(): string[] {
    this.#records += 1;
    return [...this.#cluster.answers(), '--record', join(this.#cluster.folder, `record-${this.#records}.json`)];
  }

  #tokens(member: string): string {
    return join(this.#cluster.hsm(member).directory, 'tokens');
  }
}

/** The user logs in for the attacks, after the officer, who logs in once for each generation that is tried. */
function startOfAttacks(points: readonly CrashPoint[]): number {
  const isLogin = ({ member, functionName }: CrashPoint): boolean => member === 0 && functionName === 'C_Login';
  const last = points.findLast(isLogin)?.ordinal;
  return points.findIndex((point) => isLogin(point) && point.ordinal === last);
}

export const ceremonyScenarios: readonly CeremonyScenarioOptions[] = [
  { name: 'init', before: [], members: ['a', 'b'] },
  { name: 'add-member', before: ['a'], members: ['a', 'b'] },
  { name: 'rotate-wrapping-key', before: ['a', 'b'], members: ['a', 'b'] },
];
