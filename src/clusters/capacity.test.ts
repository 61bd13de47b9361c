import { describe, expect, test } from 'vitest';
import { clusterCeiling, clusterLoad, type DailyPeak, forecast } from './capacity.js';

const dayMs = 86_400_000;
const now = new Date('2026-12-01T15:00:00Z');

/** Daily peaks that end yesterday. */
function peaks(...rates: number[]): DailyPeak[] {
  return rates.map((operationsPerSecond, index) => {
    const date = new Date(now.getTime() - (rates.length - index) * dayMs);
    return { day: date.toISOString().slice(0, 10), operationsPerSecond, ceiling: null };
  });
}

const rising = [100, 110, 120, 130, 140, 150, 160];

describe('a forecast', () => {
  test('says when the trend reaches the ceiling', () => {
    // Yesterday, 30 November: 160. Four days later: 200.
    expect(forecast(peaks(...rising), 200, now)).toEqual({
      days: 7,
      growthPerDay: 10,
      limitDate: new Date('2026-12-04T00:00:00Z'),
    });
  });

  test('needs seven whole days, and today is none', () => {
    const today = { day: '2026-12-01', operationsPerSecond: 5, ceiling: null };
    expect(forecast([...peaks(...rising.slice(1)), today], 200, now)).toEqual({
      days: 6,
      growthPerDay: undefined,
      limitDate: undefined,
    });
  });

  test('is not bent by single days', () => {
    const [first, second, third, fourth, fifth, sixth, seventh] = rising as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const bent = forecast(peaks(first, second, 9_000, fourth, fifth, 0, seventh), 200, now);
    expect(bent.growthPerDay).toBeCloseTo(10, 0);
    expect([third, sixth]).toEqual([120, 150]);
  });

  test('counts missing days', () => {
    const some = peaks(...rising, 170, 180, 190).filter((_, index) => index !== 3 && index !== 5);
    expect(forecast(some, 250, now).growthPerDay).toBe(10);
  });

  test.each([
    ['without growth', peaks(9, 9, 9, 9, 9, 9, 9), 200],
    ['when the load falls', peaks(...rising.toReversed()), 200],
    ['without a ceiling', peaks(...rising), undefined],
    ['beyond ten years', peaks(...rising), 100_000],
  ])('has no date %s', (_, days, ceiling) => {
    expect(forecast(days, ceiling, now)).toMatchObject({ days: 7, limitDate: undefined });
  });

  test('is for today if the ceiling is reached already', () => {
    expect(forecast(peaks(...rising), 100, now).limitDate).toEqual(new Date('2026-12-01T00:00:00Z'));
  });
});

test('a member whose ceiling is unknown counts as the mean of the others', () => {
  const member = (ceiling: number | undefined) => ({ operationsPerSecond: 1, utilisation: 0, ceiling });
  expect(clusterCeiling([member(100), member(300), member(undefined)])).toBe(600);
  expect(clusterCeiling([member(undefined)])).toBeUndefined();
});

test('the utilisation of a cluster is that of its lanes', () => {
  const members = [
    { operationsPerSecond: 10, utilisation: 1, ceiling: undefined, lanes: 3 },
    { operationsPerSecond: 5, utilisation: 0, ceiling: undefined, lanes: 1 },
  ];
  expect(clusterLoad(members)).toEqual({ operationsPerSecond: 15, utilisation: 0.75 });
  expect(clusterLoad([])).toEqual({ operationsPerSecond: 0, utilisation: 0 });
});
