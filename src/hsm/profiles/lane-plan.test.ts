import { describe, expect, test } from 'vitest';
import { planLanes } from './lane-plan.js';
import { vendorProfiles } from './profiles.js';

const { generic, softhsm } = vendorProfiles;
const unlimited = { maxSessionCount: null, maxRwSessionCount: null, sessionCount: null, rwSessionCount: null };
const headroom = generic.sessionHeadroom.value;

describe('the plan of lanes', () => {
  test('is the configured number, or else the profile’s', () => {
    expect(planLanes(generic, unlimited, 32)).toBe(32);
    expect(planLanes(generic, unlimited, null)).toBe(4);
    expect(planLanes(softhsm, unlimited, null)).toBe(1);
  });

  test('leaves room for our other sessions, for those of others, and for the headroom', () => {
    expect(planLanes(generic, { ...unlimited, maxSessionCount: 20 }, 32)).toBe(20 - 2 - headroom);
    expect(planLanes(generic, { ...unlimited, maxSessionCount: 20, sessionCount: 10 }, 32)).toBe(10 - 2 - headroom);
    const other = { ...generic, sessionHeadroom: { value: 0, source: '' } };
    expect(planLanes(other, { ...unlimited, maxSessionCount: 20 }, 32)).toBe(18);
  });

  test('honours the count of read-write sessions if it is smaller', () => {
    const token = { maxSessionCount: 100, maxRwSessionCount: 10, sessionCount: 0, rwSessionCount: 2 };
    expect(planLanes(generic, token, 32)).toBe(8 - 2 - headroom);
  });

  test('uses the count of the profile if the token reports none', () => {
    const limited = { ...generic, maximumSessions: { value: 12, source: 'the configuration' } };
    expect(planLanes(limited, unlimited, 32)).toBe(10 - headroom);
    expect(planLanes(limited, { ...unlimited, maxSessionCount: 30 }, 32)).toBe(28 - headroom);
  });

  test('is at least one', () => {
    expect(planLanes(generic, { ...unlimited, maxSessionCount: 2, sessionCount: 2 }, 4)).toBe(1);
  });
});
