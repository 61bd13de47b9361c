import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { alice, FaceUnderTest } from '../grpc-face.js';
import type { Outcome } from './session.js';
import { holdfast } from './session.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-health-'));
const path = join(folder, 'holdfast.sock');
afterAll(() => rmSync(folder, { recursive: true }));

const health = (...more: string[]): Promise<Outcome> =>
  holdfast(['health', '--server', `unix:${path}`, '--timeout', '5', ...more]);

test('exit code 0 while the server takes work, 5 when it takes none, 3 when it is gone', async () => {
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
  face.face.setServing(false);
  const refused = await health();
  expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([
    5,
    '',
    expect.stringContaining('error: NOT_SERVING: '),
  ]);
  await face.face.drain(5_000);
  const gone = await health();
  expect([gone.exitCode, gone.stderr]).toEqual([3, expect.stringContaining('error: UNREACHABLE: ')]);
  expect(face.dispatcher.calls).toEqual([]);
});
