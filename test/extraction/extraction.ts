/** Runs the key-extraction suite, a program of its own (`main.cc`), on a token. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createSoftHsm } from '../softhsm.js';

/** Built beside the addon. */
const program = fileURLToPath(new URL('../../native/build/Release/extraction', import.meta.url));

/** How one attack on one key ended. */
export interface Result {
  attack: string;
  /** `user` holds the PIN, `nobody` has none. */
  who: 'user' | 'nobody';
  key: 'AES' | 'generic secret' | 'private';
  outcome: 'refused' | 'invisible' | 'nothing' | 'not tried' | 'misused' | 'recovered';
  succeeded: boolean;
  /** What refused, with its CK_RV in hex. */
  function?: string;
  rv?: string;
}

/** A token as the program is told to find it. */
export interface AttackedToken {
  libraryPath: string;
  environment: Record<string, string>;
  tokenLabel: string;
  userPin: string;
  soPin: string;
  /** Further arguments, the same for every run. */
  options: readonly string[];
}

/** The end of one run. */
export interface Run {
  /** 0: every attack failed; 1: one succeeded; 2: they could not be run. */
  exitCode: number | null;
  results: Result[];
  /** The table, or why there is none. */
  text: string;
}

/** Attacks a token. */
export async function attackToken(token: AttackedToken, given: readonly string[]): Promise<Run> {
  const found = ['--module', token.libraryPath, '--token', token.tokenLabel];
  const child = spawn(program, [...found, ...token.options, ...given], {
    env: { ...process.env, ...token.environment },
    stdio: 'pipe',
  });
  const output: Buffer[] = [];
  const text: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => text.push(bytes));
  // A program that refuses its arguments ends without reading its PINs.
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${token.userPin}\n${token.soPin}\n`);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const json = Buffer.concat(output).toString('utf8');
  const results = json === '' ? [] : (JSON.parse(json) as { results: Result[] }).results;
  return { exitCode, results, text: Buffer.concat(text).toString('utf8') };
}

/** Prepares a fresh SoftHSM token by the ceremony, but for these attributes, and attacks it. */
export async function attackFreshSoftHsm(without: readonly string[]): Promise<Run> {
  const hsm = createSoftHsm({ tokens: [{ label: 'attacked', userPin: '1234' }] });
  try {
    const { libraryPath, environment } = hsm;
    const token = { libraryPath, environment, tokenLabel: 'attacked', userPin: '1234', soPin: 'so-1234', options: [] };
    return await attackToken(token, ['--prepare', ...withoutOptions(without)]);
  } finally {
    hsm.dispose();
  }
}

/** The arguments that leave attributes out. */
export function withoutOptions(without: readonly string[]): string[] {
  return without.flatMap((attribute) => ['--without', attribute]);
}

/** The names of all attacks, and of all attributes that can be left out. */
export function lists(): { attacks: string[]; attributes: string[] } {
  const { stdout } = spawnSync(program, ['--list'], { encoding: 'utf8' });
  const { attacks, attributes } = JSON.parse(stdout) as { attacks: { name: string }[]; attributes: string[] };
  return { attacks: attacks.map(({ name }) => name), attributes };
}

/** The attacks that succeeded, each with who did what with which keys, as in `outcomes.ts`. */
export function successes(results: readonly Result[]): Record<string, string> {
  const groups = new Map<string, Map<string, string[]>>();
  for (const { attack, who, outcome, key } of results.filter(({ succeeded }) => succeeded)) {
    const group = groups.get(attack) ?? new Map<string, string[]>();
    groups.set(attack, group.set(`${who} ${outcome}`, [...(group.get(`${who} ${outcome}`) ?? []), key]));
  }
  const line = (group: Map<string, string[]>): string =>
    [...group].map(([start, keys]) => `${start} ${keys.join(', ')}`).join('; ');
  return Object.fromEntries([...groups].map(([attack, group]) => [attack, line(group)]));
}
