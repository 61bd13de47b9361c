/** A rotation of a PIN on two members whose server, or whose program that calls the token, is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import type { HoldfastClient } from '../e2e/client.js';
import { commandLine, connectionState, eventually, randomPin } from '../e2e/deployment.js';
import { MembersDeployment } from '../e2e/members-deployment.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { TokenReader } from '../token-reader.js';
import { arm, type CrashPoint, distinctPoints } from './crash-point.js';
import { KeptFiles } from './kept-files.js';
import type { CrashScenario } from './sweep.js';

const program = fileURLToPath(new URL('rotation-process.mjs', import.meta.url));
/** The modules of the catalog in which a rotation writes. */
const modulesOfRotation = ['pin-rotations', 'login-attempts', 'leases'];
/** The token locks at so many wrong PINs. */
const pinLimit = 3;
/** How long the following process may take: many times the need of a busy machine. */
const recoveryBoundMs = 60_000;

/** One commit of the catalog: the module that makes it, and which one of it, from 1. */
interface Commit {
  name: string;
  ordinal: number;
}

export class PinScenario implements CrashScenario {
  readonly name: string;
  readonly #made: MembersDeployment;
  readonly #kept: KeptFiles;
  readonly #newPin: string;
  #child: ChildProcess | undefined;
  #commits: Commit[] = [];
  #wrongBefore: number[] = [];
  #insideBefore = 0;
  #armed: CrashPoint | undefined;

  private constructor(name: string, made: MembersDeployment, kept: KeptFiles, newPin: string) {
    this.name = name;
    this.#made = made;
    this.#kept = kept;
    this.#newPin = newPin;
  }

  static async make(): Promise<PinScenario> {
    const made = await MembersDeployment.make(2, (configuration) => {
      configuration['recovery'] = { openTimeoutMs: 5_000, probeDelayMs: 100 };
    });
    const server = await made.deployment.spawn();
    const client = server.client();
    await made.connect(client);
    client.close();
    await server.end('SIGTERM');
    const newPin = randomPin();
    made.deployment.ledger.add('the new PIN', newPin);
    return new PinScenario('rotate-pin', made, new KeptFiles(made.deployment.folder, made.members), newPin);
  }

  get faults(): readonly FaultHsm[] {
    return this.#made.faults;
  }

  restore(): void {
    this.#kept.restore();
    this.#armed = undefined;
    writeFileSync(this.#made.deployment.logPath, '');
    for (const fault of this.faults) {
      fault.set('wrongPins', 0);
      fault.set('pinLimit', pinLimit);
    }
  }

  async act(begin: () => void): Promise<boolean> {
    const { deployment, storeId } = this.#made;
    const given = [program, dirname(dirname(commandLine)), deployment.configurationPath];
    const child = spawn(process.execPath, given, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const exit = once(child, 'exit');
    this.#child = child;
    const [{ port }] = (await beforeExit(once(child, 'message'), exit)) as [{ port: number }];
    const client = deployment.client(port, 'operator');
    await eventually(async () => {
      if (!(await this.#made.isWhole(client))) throw new Error('not yet');
    });
    this.#wrongBefore = this.#wrongPins();
    begin();
    await this.#say({ armed: this.#armed });
    const request = { custom_key_store_id: storeId, key_store_password: this.#newPin };
    // A server that dies answers nothing, and one whose program died says that it is not complete.
    await client.call('RotatePin', request).catch(() => undefined);
    client.close();
    const said = await Promise.race([exit, this.#say({}).catch(() => exit)]);
    const commits = 'commits' in said ? said.commits : undefined;
    if (commits !== undefined && this.#armed === undefined) this.#commits = commits;
    child.kill('SIGKILL');
    await exit;
    return commits === undefined || this.#programDied();
  }

  pointsOf(calls: readonly CrashPoint[]): CrashPoint[] {
    const changing = distinctPoints(calls);
    const places = ['before', 'after'] as const;
    const commits = this.#commits
      .filter(({ name }) => modulesOfRotation.includes(name))
      .flatMap(({ name: functionName, ordinal }) =>
        places.map((place) => ({ member: 'catalog' as const, functionName, ordinal, place, changes: true })),
      );
    return [...changing, ...changing.map((point) => ({ ...point, withParent: true })), ...commits];
  }

  arm(point: CrashPoint): void {
    const { member, functionName: name, withParent } = point;
    this.#armed = point;
    // The server is told of a commit when the act begins.
    if (typeof member !== 'number') return;
    const fault = this.#made.fault(member);
    this.#insideBefore = fault.inside(name);
    if (withParent === true) fault.set('diesToo', this.#child?.pid ?? 0);
    arm(this, point);
  }

  async recover(): Promise<string[]> {
    for (const fault of this.faults) fault.set('pinLimit', pinLimit);
    // As if the ten seconds were over for which a killed server keeps others from the rotation.
    this.#inCatalog((database) => database.prepare('update leases set expires_ms = 0').run());
    const { deployment, storeId } = this.#made;
    const server = await deployment.spawn();
    const client = server.client();
    try {
      const untilMs = performance.now() + recoveryBoundMs;
      const withinBound = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<string[]> => {
        while (!(await isSo())) {
          if (performance.now() > untilMs) return [`not ${what}`];
          await sleep(20);
        }
        return [];
      };
      await connectionState(client, storeId, 'CONNECTED');
      const problems = [
        ...(await withinBound('over', () => this.#isOver())),
        ...(await withinBound('whole', () => this.#made.isWhole(client))),
        ...(await this.#unusable(client)),
      ];
      return [...problems, ...this.#tokenProblems()];
    } finally {
      client.close();
      await server.end('SIGTERM');
    }
  }

  choose(points: readonly CrashPoint[]): CrashPoint[] {
    return [...points];
  }

  /** Around the change on the first member: in the token, and in the catalog. */
  marks(points: readonly CrashPoint[]): CrashPoint[] {
    return points.filter(
      ({ member, functionName, place }) =>
        (member === 0 && functionName === 'C_SetPIN') || (functionName === 'pin-rotations' && place === 'after'),
    );
  }

  dispose(): void {
    this.#made.dispose();
  }

  async #unusable(client: HoldfastClient): Promise<string[]> {
    return this.#made.encrypt(client).then(
      () => [],
      (error: unknown) => [`Encrypt: ${String(error)}`],
    );
  }

  /** All tokens have the PIN that the catalog has, and none saw more than one wrong one. */
  #tokenProblems(): string[] {
    const { members, deployment } = this.#made;
    const { tokenLabel, pin: oldPin } = deployment.customCluster;
    const version = this.#inCatalog((database) =>
      database.prepare<[], number>('select password_version from custom_key_stores').pluck().get(),
    );
    const pin = version === 1 ? oldPin : this.#newPin;
    const wrong = this.#wrongPins().map((count, index) => count - (this.#wrongBefore[index] ?? 0));
    return members.flatMap(({ name, hsm }, index) => {
      const problems = (wrong[index] ?? 0) > 1 ? [`member ${name} saw ${wrong[index]} wrong PINs`] : [];
      try {
        new TokenReader(hsm, tokenLabel, pin).list();
      } catch {
        problems.push(`member ${name} does not have the PIN of version ${version}`);
      }
      return problems;
    });
  }

  #wrongPins(): number[] {
    return this.faults.map((fault) => fault.counts('C_Login').failed + fault.counts('C_SetPIN').failed);
  }

  #isOver(): boolean {
    const query = 'select count(*) from pin_rotations';
    return this.#inCatalog((database) => database.prepare<[], number>(query).pluck().get()) === 0;
  }

  /** Whether the program was killed inside the call. */
  #programDied(): boolean {
    const { member, functionName = '' } = this.#armed ?? {};
    return typeof member === 'number' && this.#made.fault(member).inside(functionName) > this.#insideBefore;
  }

  async #say(message: object): Promise<{ commits: Commit[] }> {
    const child = this.#child;
    if (child === undefined) throw new Error('There is no process.');
    const answer = once(child, 'message');
    // One that has died answers nothing.
    child.send(message, () => undefined);
    const [said] = (await beforeExit(answer, once(child, 'exit'))) as [{ commits: Commit[] }];
    return said;
  }

  #inCatalog<T>(work: (database: Database.Database) => T): T {
    const database = new Database(join(this.#made.deployment.folder, 'catalog.sqlite'));
    try {
      return work(database);
    } finally {
      database.close();
    }
  }
}

/** @throws if the process ends before it answers: it would be waited for in vain */
async function beforeExit<T>(answer: Promise<T>, exit: Promise<unknown>): Promise<T> {
  const ended = exit.then((): never => {
    throw new Error('The process has ended.');
  });
  return Promise.race([answer, ended]);
}
