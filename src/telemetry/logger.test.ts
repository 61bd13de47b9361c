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

test('a Secret prints as [secret] wherever it stands', () => {
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

test('the level decides', () => {
  const lines: string[] = [];
  createLogger('warn', { write: (line: string) => lines.push(line) }).info('something');
  expect(lines).toEqual([]);
});
