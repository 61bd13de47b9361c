import { expect, test } from 'vitest';
import { Secret } from '../secret.js';
import { createLogger } from './logger.js';

function logged(fields: object): string {
  const lines: string[] = [];
  createLogger('info', { write: (line: string) => lines.push(line) }).info(fields, 'something');
  return lines.join('');
}

test('a line is JSON, with an ISO time and the level by name', () => {
  const line = JSON.parse(logged({ keyId: 'k' })) as Record<string, unknown>;
  expect(line).toMatchObject({ level: 'info', msg: 'something', keyId: 'k', pid: process.pid });
  expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});

test('a Secret prints as [secret] at any depth', () => {
  const line = logged({ value: Secret.fromUtf8('hunter2'), nested: { deep: { list: [Secret.fromUtf8('hunter2')] } } });
  expect(line).not.toContain('hunter2');
  expect(line).toContain('[secret]');
});

test.each(['pin', 'password', 'keyStorePassword', 'key_store_password', 'plaintext', 'sealingKey', 'privateKey'])(
  'a field that is named %s is not printed, nor two levels below',
  (name) => {
    const line = logged({ [name]: 'hunter2', request: { [name]: 'hunter2', inner: { [name]: 'hunter2' } } });
    expect(line).not.toContain('hunter2');
  },
);

test('the level decides which lines are written', () => {
  const lines: string[] = [];
  createLogger('warn', { write: (line: string) => lines.push(line) }).info('something');
  expect(lines).toEqual([]);
});

test('control characters in foreign text are escaped, and read back unchanged', () => {
  const lines: string[] = [];
  const hostile = 'a\nb\u001b[2J\u009b31m\u202e\u2028\u2066\u{e0041}é漢🔑';
  createLogger('info', { write: (line: string) => lines.push(line) }).info({ hostile, [hostile]: 1 }, hostile);
  const [line = ''] = lines;
  expect(line.endsWith('\n')).toBe(true);
  expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
  expect(line).toContain('é漢🔑');
  expect(JSON.parse(line)).toMatchObject({ hostile, [hostile]: 1, msg: hostile });
});
