import { expect, it } from 'vitest';
import { addon, connect, makeKey, memberOptions, moduleOf, soon } from '../native/fixture.js';
import { createSoftHsm } from '../softhsm.js';
import { attackToken, successes } from './extraction.js';

it('a key of a cluster without replication gives nothing away: it is not extractable', async () => {
  const hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  try {
    const pool = addon.createPool(1_000);
    const member = await connect(pool, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    const { id } = await makeKey(pool, member);
    expect(await pool.close(soon())).toBe(0);
    const { libraryPath, environment } = hsm;
    const token = { libraryPath, environment, tokenLabel: 'alpha', userPin: '1234', soPin: '', options: [] };
    const { exitCode, results, text } = await attackToken(token, ['--key-id', Buffer.from(id).toString('hex')]);
    expect(successes(results), text).toEqual({});
    expect(exitCode).toBe(0);
    const underOwn = results.find(({ who, attack }) => who === 'user' && attack === 'wrap-under-own-aes');
    // CKR_KEY_UNEXTRACTABLE
    expect(underOwn).toMatchObject({ outcome: 'refused', function: 'C_WrapKey', rv: '0x6A' });
  } finally {
    hsm.dispose();
  }
});
