/**
 * Modules that do not enforce trust, caught by the attacks that they fall to. A check that tries only to set CKA_TRUSTED
 * and to wrap under a key of its own would call kryoptic enforcing.
 */
import { describe, expect, it } from 'vitest';
import { createKryopticHsm, findKryopticLibrary } from '../kryoptic-hsm.js';
import { createNssHsm, findNssLibrary } from '../nss-hsm.js';
import { attackToken, successes, withoutOptions, type Run } from './extraction.js';
import { kryopticAlways, kryopticOutcomes, nssOutcomes, nowhere, nowhereOnSoftHsm } from './outcomes.js';

const nssLibrary = findNssLibrary();
const kryopticLibrary = findKryopticLibrary();

/** RFC 5649 by its number of PKCS#11 v3.0; users make trusted keys. */
const options = ['--key-wrap', '0x210B', '--prepare', '--user-made'];

async function attackNss(library: string): Promise<Run> {
  const hsm = createNssHsm(library, '1234');
  try {
    const { libraryPath, environment, tokenLabel } = hsm;
    // NSS stores neither of the two.
    const unsupported = ['CKA_COPYABLE', 'CKA_ALLOWED_MECHANISMS'].flatMap((attribute) =>
      ['key', 'wrapping'].flatMap((object) => ['--unsupported', `${object}.${attribute}`]),
    );
    const token = { libraryPath, environment, tokenLabel, userPin: '1234', soPin: '', options };
    return await attackToken(token, ['--initialization', hsm.initializationString, ...unsupported]);
  } finally {
    hsm.dispose();
  }
}

async function attackKryoptic(library: string, without: readonly string[]): Promise<Run> {
  const hsm = createKryopticHsm(library, 'attacked', '1234');
  try {
    const { libraryPath, environment, tokenLabel } = hsm;
    const token = { libraryPath, environment, tokenLabel, userPin: '1234', soPin: 'so-1234', options };
    return await attackToken(token, withoutOptions(without));
  } finally {
    hsm.dispose();
  }
}

describe.skipIf(nssLibrary === undefined)('NSS softokn', () => {
  it('falls to almost everything', async () => {
    const { exitCode, results, text } = await attackNss(nssLibrary ?? '');
    expect(successes(results), text).toEqual(nssOutcomes);
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(kryopticLibrary === undefined)('kryoptic', () => {
  it.each(kryopticOutcomes)('without $without falls to the attacks in the table', async ({ without, succeed }) => {
    const { exitCode, results, text } = await attackKryoptic(kryopticLibrary ?? '', without);
    expect(successes(results), text).toEqual({ ...kryopticAlways, ...succeed });
    expect(exitCode).toBe(1);
  });
});

it('every attack succeeds on a module or preparation, but for those that all three refuse', () => {
  const successful = new Set(
    [nssOutcomes, kryopticAlways, ...kryopticOutcomes.map(({ succeed }) => succeed)].flatMap(Object.keys),
  );
  expect(nowhereOnSoftHsm.filter((attack) => !successful.has(attack)).sort()).toEqual([...nowhere].sort());
});
