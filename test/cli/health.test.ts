import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { alice, FaceUnderTest, ready } from '../grpc-face.js';
import type { Outcome } from './session.js';
import { holdfast } from './session.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-health-'));
const path = join(folder, 'holdfast.sock');
afterAll(() => rmSync(folder, { recursive: true }));

const health = (...more: string[]): Promise<Outcome> =>
  holdfast(['health', '--server', `unix:${path}`, '--timeout', '5', ...more]);

test('exit code 0 while it is ready, 5 while it is not, 3 when it is gone; liveness and key stores are asked separately', async () => {
  await using face = await FaceUnderTest.start({}, [{ kind: 'unix', path, principal: alice }]);
  expect(await health()).toMatchObject({ exitCode: 0, stdout: 'SERVING\n', stderr: '' });
  expect(JSON.parse((await health('--output', 'json')).stdout)).toEqual({ status: 'SERVING' });
  face.face.setSound(false);
  expect(await health('--process')).toMatchObject({
    exitCode: 5,
    stderr: expect.stringContaining('is stuck') as string,
  });
  expect(await health()).toMatchObject({ exitCode: 0 });
  face.face.setSound(true);
  expect(await health('--process')).toMatchObject({ exitCode: 0, stdout: 'SERVING\n' });
  face.face.setReadiness({ control: false, cryptography: false, keyStores: new Map() });
  const refused = await health();
  expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([
    5,
    '',
    expect.stringMatching(/error: NOT_SERVING: .*holdfast status says why; if it is refused too.*audit log/),
  ]);
  expect(await health('--live')).toMatchObject({ exitCode: 0 });
  expect(await health('--key-store', 'default')).toMatchObject({ exitCode: 1 });
  face.face.setReadiness({
    ...ready,
    keyStores: new Map([
      ['default', false],
      ['cks-1', true],
    ]),
  });
  expect(await health()).toMatchObject({ exitCode: 0 });
  expect(await health('--key-store', 'default')).toMatchObject({ exitCode: 5 });
  expect(await health('--key-store', 'cks-1')).toMatchObject({ exitCode: 0 });
  await face.face.drain(5_000);
  const gone = await health();
  expect([gone.exitCode, gone.stderr]).toEqual([3, expect.stringContaining('error: UNREACHABLE: ')]);
  expect(face.dispatcher.calls).toEqual([]);
});
