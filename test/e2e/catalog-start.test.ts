import { copyFileSync, existsSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdfast } from '../cli/session.js';
import type { Message } from './client.js';
import { Deployment, eventually } from './deployment.js';

let deployment: Deployment;
let path: string;
const begin = (create: boolean): void => {
  deployment = new Deployment({
    customClusters: [],
    configure: (configuration) => {
      configuration['catalog'] = { ...(configuration['catalog'] as Message), create };
      configuration['telemetry'] = { logLevel: 'trace', metrics: { address: '127.0.0.1', port: 0 } };
    },
  });
  path = join(deployment.folder, 'catalog.sqlite');
};
beforeEach(() => begin(true));
afterEach(() => deployment.dispose());

const catalogCommand = (...words: string[]) =>
  holdfast(['catalog', ...words, '--config', deployment.configurationPath]);
const log = () => readFileSync(deployment.logPath, 'utf8');

/** Starts a server, makes a key, and stops it. */
async function usedOnce(): Promise<void> {
  const server = await deployment.start();
  await server.defaultKeyStoreConnected();
  await server.client().call('CreateKey', {});
  await server.stop();
}

const moveAway = (): void => {
  for (const end of ['', '-wal', '-shm']) if (existsSync(path + end)) renameSync(path + end, `${path}${end}.gone`);
};

describe('a start without its catalog', () => {
  it('is refused until the catalog is created explicitly', async () => {
    deployment.dispose();
    begin(false);
    await expect(deployment.start()).rejects.toThrow(/There is no catalog at .*holdfast catalog init/);
    expect(existsSync(path)).toBe(false);
    const { exitCode, stderr } = await holdfast(['serve', '--config', deployment.configurationPath]);
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(
      /^error: CANNOT_START: catalog .*: There is no catalog at .*\n  → For a first start .*\nhint: /,
    );
    expect(await catalogCommand('init')).toMatchObject({
      exitCode: 0,
      stdout: `created an empty catalog at ${path}\n`,
    });
    await usedOnce();
    const before = readFileSync(path);
    expect(await catalogCommand('init')).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('nothing was changed') as string,
    });
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([
    ['missing', moveAway],
    ['empty', () => truncateSync(path)],
    ['cut off', () => truncateSync(path, 4_096)],
    [
      'a dangling link',
      () => {
        moveAway();
        symlinkSync(join(deployment.folder, 'gone'), path);
      },
    ],
    ['no database', () => writeFileSync(path, 'text'.repeat(2_000))],
  ])(
    'creates no second catalog if the first was used and is %s, although create is still true, and doctor reports it',
    async (_, spoil) => {
      await usedOnce();
      spoil();
      await expect(deployment.start()).rejects.toThrow(/restore/i);
      const doctor = await holdfast(['doctor', '--config', deployment.configurationPath, '--output', 'json']);
      const { findings } = JSON.parse(doctor.stdout) as {
        findings: { subject: string; status: string; remedy?: string }[];
      };
      const finding = findings.find(({ subject }) => subject === `catalog ${path}`);
      expect(finding).toMatchObject({ status: 'fail', remedy: expect.stringMatching(/restore/i) as string });
    },
  );

  it('is refused when the catalog is of another account', async () => {
    await usedOnce();
    const configuration = readFileSync(deployment.configurationPath, 'utf8');
    const changed = configuration.replaceAll('111122223333', '999988887777');
    writeFileSync(deployment.configurationPath, changed);
    await expect(deployment.start()).rejects.toThrow(/holds 1 entry of account 111122223333/);
  });
});

describe('a token whose keys the catalog does not know', () => {
  it('causes an alert from the start until the right catalog is back', async () => {
    await usedOnce();
    moveAway();
    rmSync(deployment.auditPath);
    const scrape = async (port: number | undefined) => (await fetch(`http://127.0.0.1:${port ?? 0}/metrics`)).text();
    const gauge = 'holdfast_hsm_unaccounted_materials{cluster="default",member="a"}';
    const wrong = await deployment.start();
    await eventually(async () => expect(await scrape(wrong.server.metricsPort)).toContain(`${gauge} 1`));
    expect(log()).toMatch(/"level":"error".*ALERT: the token holds keys that the catalog does not know/);
    await wrong.stop();
    rmSync(path);
    copyFileSync(`${path}.gone`, path);
    const right = await deployment.start();
    await eventually(async () => expect(await scrape(right.server.metricsPort)).toContain(`${gauge} 0`));
    await right.stop();
  });
});
