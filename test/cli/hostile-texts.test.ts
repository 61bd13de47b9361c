import { readdirSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printable, printableJson } from '../../src/printable.js';
import { toCallError } from '../../src/faces/grpc/errors.js';
import { HoldfastError } from '../../src/errors.js';
import { holdfast } from './session.js';

/** One of each kind: a forged line, a carriage return, escape sequences of 7 and 8 bits, bidirectional overrides, separators, invisible letters. */
const hostile =
  'a\nkey_state  ENABLED\r\u001b[2J\u001b]0;title\u0007\u009b31m\u007f\u202eevil\u202c\u2066x\u2069\u2028\u2029\u200b\ufeff\u00ad\u061c\u{e0041}\b\t\u0000z';
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

const protoFolder = fileURLToPath(new URL('../../proto', import.meta.url));
const serviceFolders = ['kms', 'admin'].map((name) => `${protoFolder}/holdfast/${name}/v1`);
const definitions = protoLoader.loadSync(
  serviceFolders.flatMap((folder) => readdirSync(folder).map((file) => `${folder}/${file}`)),
  { includeDirs: [protoFolder], keepCase: true, enums: String },
);

interface Field {
  name: string;
  type: string;
  label: string;
  typeName: string;
}

/** The type of the message in a field, found by the end of the field's name. */
function fieldsOf(typeName: string): Field[] | undefined {
  const name = typeName.replace(/^\./, '');
  const found = definitions[name] ?? Object.entries(definitions).find(([known]) => known.endsWith(`.${name}`))?.[1];
  const type = (found as { type?: { field?: Field[] } } | undefined)?.type;
  return type?.field;
}

/**
 * A message in which every text is hostile. Lists have one item; fields that say whether a list continues are left out.
 */
function hostileMessage(fields: readonly Field[]): Record<string, unknown> {
  const entries = fields
    .filter(({ name }) => name !== 'truncated' && name !== 'next_marker')
    .map((field): [string, unknown] => {
      const value = hostileValue(field);
      return [field.name, field.label === 'LABEL_REPEATED' && !Array.isArray(value) ? [value] : value];
    });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function hostileValue({ type, typeName }: Field): unknown {
  if (type === 'TYPE_STRING') return hostile;
  if (type === 'TYPE_BYTES') return Buffer.from('bytes');
  if (type !== 'TYPE_MESSAGE') return undefined;
  if (typeName.endsWith('Timestamp')) return { seconds: 1_700_000_000, nanos: 0 };
  const fields = fieldsOf(typeName);
  return fields === undefined ? undefined : hostileMessage(fields);
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
const file = join(folder, 'input');
let server: grpc.Server;
let port = 0;
let refusing = false;

beforeAll(async () => {
  writeFileSync(file, 'input', { mode: 0o600 });
  server = new grpc.Server();
  for (const [name, definition] of Object.entries(definitions)) {
    if (!name.endsWith('Service')) continue;
    const methods = Object.entries(definition as grpc.ServiceDefinition);
    const handlers = methods.map(([method, definitionOfMethod]) => {
      const { responseType } = definitionOfMethod as unknown as { responseType: { type: { field: Field[] } } };
      const response = hostileMessage(responseType.type.field);
      const handler: grpc.handleUnaryCall<unknown, unknown> = (_call, callback) => {
        const fieldViolations = [{ field: hostile, description: hostile }];
        if (refusing)
          callback(toCallError(new HoldfastError('VALIDATION', hostile, { fieldViolations }), hostile.slice(0, 1)));
        else callback(null, response);
      };
      return [method, handler] as const;
    });
    server.addService(definition as grpc.ServiceDefinition, Object.fromEntries(handlers));
  }
  const bind = (done: (error: Error | null, bound: number) => void): void =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), done);
  port = await new Promise<number>((resolve, reject) => {
    bind((error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
});

afterAll(() => {
  server.forceShutdown();
  rmSync(folder, { recursive: true });
});

const [key, store] = ['1234abcd-12ab-34cd-56ef-1234567890ab', 'cks-1234567890abcdef0'];

const cluster = 'cluster-a2b3c4d5e6f';
/** Commands whose exit code is what they found. */
const judging: Record<string, number> = {
  status: 5,
  'cluster reconcile': 5,
  'sealing-key rotate': 5,
  'backup create': 5,
  'backup verify': 5,
  'key-store rotate-pin': 6,
  'cluster rotate-pin': 6,
};

/** Every command that asks a server; the first test compares the list with the program's help. */
const macOptions = ['--key-id', key, '--mac-algorithm', 'HMAC_SHA_256'];
const commands: Record<string, string[]> = {
  'key-store create': ['--name', 'a', '--cluster-id', 'b', '--trust-anchor', file, '--password-file', file],
  'key-store connect': [store],
  'key-store disconnect': [store],
  'key-store describe': [store],
  'key-store update': [store, '--new-name', 'b'],
  'key-store delete': [store],
  'key create': [],
  'key describe': [key],
  'key list': [],
  'key enable': [key],
  'key disable': [key],
  'key update': [key, '--description', 'a'],
  'key schedule-deletion': [key],
  'key cancel-deletion': [key],
  'alias create': ['alias/a', '--target-key-id', key],
  'alias list': [],
  'alias update': ['alias/a', '--target-key-id', key],
  'alias delete': ['alias/a'],
  'cluster describe': [],
  'cluster drain': [cluster, 'a'],
  'cluster resume': [cluster, 'a'],
  'cluster reconcile': [cluster],
  'sealing-key rotate': [],
  'backup create': [],
  'backup list': [],
  'backup verify': ['0'.repeat(32)],
  'backup delete': ['0'.repeat(32)],
  'backup key-report': [key],
  'key-store rotate-pin': [store],
  // The hostile server has a key store on the cluster of this name.
  'cluster rotate-pin': [hostile],
  encrypt: ['--key-id', key, '--plaintext-file', file],
  decrypt: ['--ciphertext-file', file],
  're-encrypt': ['--ciphertext-file', file, '--destination-key-id', key],
  'generate-data-key': ['--key-id', key, '--key-spec', 'AES_256'],
  'generate-mac': [...macOptions, '--message-file', file],
  'verify-mac': [...macOptions, '--message-file', file, '--mac-file', file],
  'generate-random': ['--number-of-bytes', '8'],
  status: [],
};

async function run(command: string, ...more: string[]) {
  const argv = [...command.split(' '), ...(commands[command] ?? []), ...more];
  return holdfast([...argv, '--server', `127.0.0.1:${port}`, '--without-tls', '--timeout', '20'], { tty: false });
}

function expectPrintable(text: string): void {
  for (const line of text.split('\n')) expect(line).not.toMatch(unprintable);
  expect(text).not.toMatch(/^\W*key_state {2}ENABLED/m);
}

test('the list has every command that takes --server', async () => {
  const found: string[] = [];
  const { stdout } = await holdfast(['--help']);
  for (const [, name = ''] of stdout.matchAll(/^ {2}([a-z-]+) /gm)) {
    const help = (await holdfast([name, '--help'])).stdout;
    const children = [...help.matchAll(/^ {2}([a-z-]+) .*\[options\]/gm)].map(([, child = '']) => `${name} ${child}`);
    for (const command of children.length === 0 ? [name] : children) {
      if ((await holdfast([...command.split(' '), '--help'])).stdout.includes('--server <target>')) found.push(command);
    }
  }
  // The answer of `health` has no foreign text.
  expect(found.filter((command) => command !== 'health').sort()).toEqual(Object.keys(commands).sort());
});

describe.each(Object.keys(commands))('holdfast %s', (command) => {
  test('shows hostile answers, and does not obey them', async () => {
    refusing = false;
    const { exitCode, stdout, stderr } = await run(command);
    expect(exitCode).toBe(judging[command] ?? 0);
    expectPrintable(stdout + stderr);
  });

  test('prints JSON that is safe to view and reads back unchanged', async () => {
    refusing = false;
    const { stdout } = await run(command, '--output', 'json');
    if (stdout === 'bytes') return;
    expectPrintable(stdout);
    const texts: unknown[] = [];
    JSON.parse(stdout, (_name, value: unknown) => {
      if (typeof value === 'string' && value.startsWith('a\n')) texts.push(value);
      return value;
    });
    for (const text of texts) expect(text).toBe(hostile);
  });

  test('shows hostile errors', async () => {
    refusing = true;
    const { exitCode, stdout, stderr } = await run(command);
    expect([exitCode, stdout]).toEqual([1, '']);
    expectPrintable(stderr);
    expect(stderr).toMatch(/^error: VALIDATION: a\\nkey_state/);
    const json = await run(command, '--output', 'json');
    expectPrintable(json.stderr);
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'VALIDATION' } });
  });
});

test('exactly the invisible characters are escaped', () => {
  for (let code = 0; code <= 0x1_ffff; code += 1) {
    const character = String.fromCodePoint(code);
    const shown = printable(character);
    expect(shown === character, code.toString(16)).toBe(!unprintable.test(character));
    if (shown !== character) expect(JSON.parse(`"${shown}"`)).toBe(character);
  }
  expect(printable('é ж 漢 🔑 \\n "')).toBe('é ж 漢 🔑 \\n "');
  expect(JSON.parse(printableJson({ [hostile]: [hostile] }).join('\n'))).toEqual({ [hostile]: [hostile] });
});
