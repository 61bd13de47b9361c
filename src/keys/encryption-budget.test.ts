import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addKey } from '../../test/contract/catalog-records.js';
import { openKeyDomain } from '../../test/key-domain.js';
import { HoldfastError } from '../errors.js';
import { EncryptionBudget, encryptionLimit } from './encryption-budget.js';

const block = 65_536;
const material = 'ab'.repeat(32);

/** The catalog's promise in memory. A test can hold it, let it fail, and start it at any count. */
class Reservations {
  readonly totals = new Map<string, number>();
  calls = 0;
  failure: Error | undefined;
  #held: Promise<void> | undefined;

  /** Reservations wait from now on. @returns the function that releases them. */
  hold(): () => void {
    let release = (): void => undefined;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return () => release();
  }

  async reserveEncryptions(materialId: string, count: number): Promise<number> {
    this.calls += 1;
    await this.#held;
    if (this.failure !== undefined) throw this.failure;
    const total = (this.totals.get(materialId) ?? 0) + count;
    this.totals.set(materialId, total);
    return total;
  }
}

interface Warning {
  materialId: string;
  used: number;
  limit: number;
}

const warningThreshold = 2 ** 31;

function budgetOn(catalog: Reservations, capacity?: number) {
  const warnings: Warning[] = [];
  const backgroundErrors: unknown[] = [];
  const budget = new EncryptionBudget({
    catalog,
    warningThreshold,
    onWarning: (materialId, used, limit) => void warnings.push({ materialId, used, limit }),
    onBackgroundError: (error) => void backgroundErrors.push(error),
    ...(capacity === undefined ? {} : { capacity }),
  });
  return { budget, warnings, backgroundErrors };
}

/** Spends as a cluster does before each attempt. */
async function spend(budget: EncryptionBudget, times = 1, materialId = material): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    if (!budget.trySpend(materialId)) await budget.spend(materialId);
  }
}

/** Lets pending reservations finish. */
const settled = (): Promise<unknown> => setImmediate();

describe('spending', () => {
  it('waits until the encryptions are reserved', () => {
    const { budget } = budgetOn(new Reservations());
    expect(budget.trySpend(material)).toBe(false);
  });

  it('reserves a block once, and the next one before any caller has to wait', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog);
    await spend(budget);
    expect(catalog.totals.get(material)).toBe(block);
    for (let round = 0; round < 5 * block; round += 1) {
      expect(budget.trySpend(material)).toBe(true);
      if (round % 1_000 === 0) await settled();
    }
  });

  it('makes one reservation for all waiting callers', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog);
    const release = catalog.hold();
    const waiting = Array.from({ length: 1_000 }, () => spend(budget));
    await settled();
    expect(catalog.calls).toBe(1);
    release();
    await Promise.all(waiting);
    expect(catalog.calls).toBe(1);
  });

  it('serves more waiting callers than a block has encryptions', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog);
    const release = catalog.hold();
    const waiting = Array.from({ length: block + 10 }, () => budget.spend(material));
    release();
    await Promise.all(waiting);
    expect(catalog.totals.get(material)).toBeGreaterThanOrEqual(block + 10);
  });

  it('counts each material by itself, and drops the least recently used', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog, 2);
    for (const materialId of ['a', 'b', 'a', 'c', 'a', 'b']) await spend(budget, 1, materialId);
    // c displaced b, whose block was lost; a was in use all the time.
    expect(Object.fromEntries(catalog.totals)).toEqual({ a: block, b: block + 512, c: 512 });
  });

  it('loses few encryptions of each material when more materials take turns than it keeps', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog, 2);
    const rounds = 100;
    for (let round = 0; round < rounds; round += 1) {
      for (const materialId of ['a', 'b', 'c']) await spend(budget, 1, materialId);
    }
    // With a whole block for each, 2^16 encryptions would exhaust a key.
    for (const total of catalog.totals.values()) expect(total).toBeLessThanOrEqual(block + rounds * 512);
  });

  it('grows back to whole blocks for a material that stays in use', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog, 2);
    await spend(budget, 1, 'a');
    await spend(budget, 1, 'b');
    await spend(budget, 4 * block, 'c');
    await settled();
    expect(catalog.totals.get('c')).toBeLessThanOrEqual(5 * block);
    expect(catalog.calls).toBeLessThan(20);
  });

  it('serves every caller when callers wait for more materials than it keeps', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog, 2);
    const release = catalog.hold();
    const waiting = Array.from({ length: 50 }, (_, index) => budget.spend(`material ${index}`));
    await settled();
    release();
    await Promise.all(waiting);
    expect(catalog.calls).toBe(50);
  });
});

describe('a crash', () => {
  it('loses at most a block, at any time', async () => {
    const catalog = new Reservations();
    let spent = 0;
    for (const lifetime of [1, block - 1, block, block + 1, (3 * block) / 4, 2 * block + 5, 100_000]) {
      const before = catalog.totals.get(material) ?? 0;
      const { budget } = budgetOn(catalog);
      await spend(budget, lifetime);
      await settled();
      spent += lifetime;
      const lost = (catalog.totals.get(material) ?? 0) - before - lifetime;
      expect(lost).toBeGreaterThanOrEqual(0);
      expect(lost).toBeLessThanOrEqual(block);
    }
    expect(catalog.totals.get(material)).toBeGreaterThanOrEqual(spent);
  });
});

describe('a catalog that fails', () => {
  it('refuses the waiting callers, and is asked again by the next one', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog);
    catalog.failure = new HoldfastError('KMS_INTERNAL', 'The catalog is not available.', { retryable: true });
    await expect(spend(budget)).rejects.toBe(catalog.failure);
    catalog.failure = undefined;
    await spend(budget);
  });

  it('does not affect reserved encryptions, and is not asked at each of them', async () => {
    const catalog = new Reservations();
    const { budget, backgroundErrors } = budgetOn(catalog);
    await spend(budget);
    catalog.failure = new HoldfastError('KMS_INTERNAL', 'The catalog is not available.', { retryable: true });
    for (let left = block - 1; left > 0; left -= 1) {
      expect(budget.trySpend(material)).toBe(true);
      if (left % 16 === 0) await settled();
    }
    expect(backgroundErrors.length).toBeGreaterThan(1);
    expect(backgroundErrors.length).toBeLessThan(20);
    await expect(spend(budget)).rejects.toBe(catalog.failure);
  });
});

describe('the end of the budget', () => {
  it('is a hard stop under 2^32 that says what to do and costs the catalog nothing', async () => {
    const catalog = new Reservations();
    catalog.totals.set(material, encryptionLimit - 10);
    const { budget, warnings } = budgetOn(catalog);
    await spend(budget, 10);
    await expect(spend(budget)).rejects.toMatchObject({
      code: 'KMS_INVALID_STATE',
      message: expect.stringContaining('Create a new key') as unknown,
    });
    await expect(spend(budget)).rejects.toThrow(/It still decrypts/);
    expect(catalog.calls).toBe(1);
    expect(warnings).toEqual([{ materialId: material, used: encryptionLimit - 10 + block, limit: encryptionLimit }]);
    expect(encryptionLimit).toBeLessThan(2 ** 32);
  });

  it('holds for a later process', async () => {
    const catalog = new Reservations();
    catalog.totals.set(material, encryptionLimit);
    await expect(spend(budgetOn(catalog).budget)).rejects.toMatchObject({ code: 'KMS_INVALID_STATE' });
  });

  it('stops all processes that share it at the same count', async () => {
    const catalog = new Reservations();
    catalog.totals.set(material, encryptionLimit - block - 1);
    const processes = [budgetOn(catalog).budget, budgetOn(catalog).budget];
    let spent = 0;
    for (const budget of processes) {
      await expect(
        (async () => {
          for (;;) {
            await spend(budget);
            spent += 1;
          }
        })(),
      ).rejects.toMatchObject({ code: 'KMS_INVALID_STATE' });
    }
    expect(spent).toBe(block + 1);
  });

  it('warns at each reservation once half of it is used', async () => {
    const catalog = new Reservations();
    catalog.totals.set(material, warningThreshold - 2 * block);
    const { budget, warnings } = budgetOn(catalog);
    await spend(budget);
    expect(warnings).toEqual([]);
    while (warnings.length < 2) {
      await spend(budget, 1_000);
      await settled();
    }
    expect(warnings.map(({ used }) => used >= warningThreshold)).toEqual([true, true]);
    expect(warnings).toHaveLength(2);
  });
});

describe('reports', () => {
  it('warn from the configured threshold on', async () => {
    const catalog = new Reservations();
    const warned: number[] = [];
    const onWarning = (_: string, used: number): void => void warned.push(used);
    const onBackgroundError = (): void => undefined;
    const tools = { catalog, onWarning, onBackgroundError, warningThreshold: 3 * block };
    for (const processes of [1, 2, 3]) {
      await spend(new EncryptionBudget(tools));
      expect(catalog.totals.get(material)).toBe(processes * block);
      expect(warned).toEqual(processes < 3 ? [] : [3 * block]);
    }
  });

  it('name the most used material, for a metric', async () => {
    const catalog = new Reservations();
    const { budget } = budgetOn(catalog);
    expect(budget.mostUsed).toBeUndefined();
    catalog.totals.set(material, 7 * block);
    await budget.spend('ab'.repeat(32));
    await budget.spend(material);
    await budget.spend('cd'.repeat(32));
    expect(budget.mostUsed).toEqual({ materialId: material, used: 8 * block, limit: encryptionLimit });
  });
});

describe('at any time', () => {
  it('several processes spend no more than was reserved, in spite of crashes and failures', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('spend' as const), process: fc.nat(2), count: fc.nat(90_000) }),
      fc.record({ kind: fc.constant('crash' as const), process: fc.nat(2) }),
      fc.record({ kind: fc.constant('catalog' as const), fails: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(300_000), async (steps, distance) => {
        const catalog = new Reservations();
        const start = encryptionLimit - distance;
        catalog.totals.set(material, start);
        const processes = [0, 1, 2].map(() => budgetOn(catalog).budget);
        let spent = 0;
        for (const each of steps) {
          if (each.kind === 'catalog') catalog.failure = each.fails ? new Error('no catalog') : undefined;
          else if (each.kind === 'crash') processes[each.process] = budgetOn(catalog).budget;
          else spent += await spendUntilRefused(processes[each.process], each.count);
          expect(spent).toBeLessThanOrEqual((catalog.totals.get(material) ?? 0) - start);
          expect(spent).toBeLessThanOrEqual(distance);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** @returns how many were spent. */
async function spendUntilRefused(budget: EncryptionBudget | undefined, count: number): Promise<number> {
  if (budget === undefined) return 0;
  for (let got = 0; got < count; got += 1) {
    if (budget.trySpend(material)) continue;
    const allowed = await budget.spend(material).then(
      () => true,
      () => false,
    );
    if (!allowed) return got;
  }
  return count;
}

describe('on a real catalog', () => {
  it('reserves for materials that the catalog has, and refuses others', async () => {
    const domain = await openKeyDomain();
    const onWarning = (): void => undefined;
    const budget = new EncryptionBudget({
      catalog: domain.catalog,
      warningThreshold,
      onWarning,
      onBackgroundError: onWarning,
    });
    const { currentMaterialId } = await addKey(domain.catalog);
    await budget.spend(currentMaterialId);
    expect(await domain.catalog.reserveEncryptions(currentMaterialId, 1)).toBe(block + 1);
    await expect(budget.spend(material)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    await domain.close();
  });
});
