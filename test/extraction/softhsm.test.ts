import { describe, expect, it, test } from 'vitest';
import { attackFreshSoftHsm, attackToken, lists, successes, withoutOptions } from './extraction.js';
import { nowhereOnSoftHsm, softHsmOutcomes } from './outcomes.js';
import { createSoftHsm } from '../softhsm.js';

const nameOf = (without: readonly string[]): string => [...without].sort().join(' + ');
const outcomeOf = new Map(softHsmOutcomes.map(({ without, succeed }) => [nameOf(without), succeed]));

describe('a SoftHSM token as the ceremony leaves it', () => {
  it('gives nothing away, neither to the holder of the PIN nor without one', async () => {
    const { exitCode, results, text } = await attackFreshSoftHsm([]);
    expect(successes(results), text).toEqual({});
    expect(exitCode).toBe(0);
    expect(results.filter(({ outcome }) => outcome === 'not tried')).toEqual([]);
    const { attacks } = lists();
    const tried = new Set(results.map(({ attack }) => attack));
    expect(attacks.filter((attack) => !tried.has(attack))).toEqual([]);
    expect(new Set(results.map(({ who }) => who))).toEqual(new Set(['nobody', 'user']));
  });

  it('tries every attack as the user on a key that is visible', async () => {
    const { results } = await attackFreshSoftHsm([]);
    const unseen = results.filter(({ who, outcome }) => who === 'user' && outcome === 'invisible');
    // There is no carry key to see.
    expect(new Set(unseen.map(({ attack }) => attack))).toEqual(new Set(['unwrap-carried', 'decrypt-carried']));
  });
});

test.concurrent.each(softHsmOutcomes.filter(({ without }) => without.length > 0))(
  'without $without exactly the attacks in the table succeed',
  async ({ without, succeed }) => {
    const { exitCode, results, text } = await attackFreshSoftHsm(without);
    expect(successes(results), text).toEqual(succeed);
    expect(exitCode).toBe(Object.keys(succeed).length > 0 ? 1 : 0);
  },
);

describe('the table', () => {
  it('has an attack that each attribute stops: it succeeds with the attribute left out, and fails with only that one in place', () => {
    const isWitnessed = (attribute: string): boolean =>
      softHsmOutcomes.some(({ without, succeed }) => {
        const others = outcomeOf.get(nameOf(without.filter((each) => each !== attribute)));
        if (!without.includes(attribute) || others === undefined) return false;
        return Object.entries(succeed).some(([attack, line]) => others[attack] !== line);
      });
    const { attributes } = lists();
    expect(attributes.length).toBeGreaterThan(25);
    expect(attributes.filter((attribute) => !isWitnessed(attribute))).toEqual([]);
  });

  it('has a preparation for each attack on which it succeeds, but for those that SoftHSM always refuses', () => {
    const successful = new Set(softHsmOutcomes.flatMap(({ succeed }) => Object.keys(succeed)));
    const { attacks } = lists();
    expect(attacks.filter((attack) => !successful.has(attack)).sort()).toEqual([...nowhereOnSoftHsm].sort());
  });
});

describe('a token that exists already', () => {
  const keyIds = ['a1', 'a2', 'a4'].map((byte) => byte.repeat(32));
  const targets = keyIds.flatMap((id) => ['--key-id', id]);

  async function attackTwice(without: readonly string[]): ReturnType<typeof attackToken> {
    const hsm = createSoftHsm({ tokens: [{ label: 'attacked', userPin: '1234' }] });
    try {
      const { libraryPath, environment } = hsm;
      const token = {
        libraryPath,
        environment,
        tokenLabel: 'attacked',
        userPin: '1234',
        soPin: 'so-1234',
        options: [],
      };
      const first = await attackToken(token, ['--prepare', ...withoutOptions(without)]);
      const second = await attackToken({ ...token, soPin: '' }, targets);
      const third = await attackToken({ ...token, soPin: '' }, targets);
      expect(first.exitCode).not.toBe(2);
      // What an attack made is gone, and what it changed is as it was.
      expect(third.results).toEqual(second.results);
      return second;
    } finally {
      hsm.dispose();
    }
  }

  it('is attacked by the ids of its keys, without the officer', async () => {
    const { exitCode, results } = await attackTwice([]);
    expect(successes(results)).toEqual({});
    expect(exitCode).toBe(0);
    expect(new Set(results.map(({ key }) => key))).toEqual(new Set(['AES', 'generic secret', 'private']));
  });

  it('is attacked without the attacks that would change it for good', async () => {
    const { results } = await attackTwice([]);
    const harmful = ['set-extractable', 'set-wrapping-decrypt', 'set-unwrap-template'];
    expect(results.filter(({ attack }) => harmful.includes(attack))).toEqual([]);
  });

  it('falls if an attribute is missing', async () => {
    const { exitCode, results } = await attackTwice(['unwrap.CKA_SENSITIVE']);
    expect(exitCode).toBe(1);
    expect(Object.keys(successes(results))).toContain('unwrap-readable');
  });
});

describe('the program', () => {
  const token = { libraryPath: '', environment: {}, tokenLabel: 'attacked', userPin: '1234', soPin: '', options: [] };

  it.each([
    { given: ['--prepare', '--nonsense'], reason: 'usage: ' },
    { given: [], reason: 'usage: ' },
    { given: ['--prepare', '--key-id', 'a1'], reason: 'usage: ' },
    { given: ['--key-id', 'a'], reason: 'hex digits' },
  ])('refuses $given', async ({ given, reason }) => {
    const { exitCode, text } = await attackToken({ ...token, libraryPath: 'none.so' }, given);
    expect(text).toContain(reason);
    expect(exitCode).toBe(2);
  });

  it('refuses an attribute that it does not know, and reports what could not be done', async () => {
    const { exitCode, text } = await attackFreshSoftHsm(['key.CKA_NONE']);
    expect(text).toContain('there is no attribute key.CKA_NONE');
    expect(exitCode).toBe(2);
    const missing = await attackToken({ ...token, libraryPath: '/none.so' }, ['--prepare']);
    expect(missing.exitCode).toBe(2);
    expect(missing.text).toContain('/none.so');
  });
});
