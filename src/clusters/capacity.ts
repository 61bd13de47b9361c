import type { MemberLoad } from './load-meter.js';

/** The highest load of one day (UTC): the greatest mean of a minute, of all processes together. */
export interface DailyPeak {
  /** `2026-12-31`. */
  day: string;
  operationsPerSecond: number;
  /** The cluster's measured ceiling on that day; null: unknown. */
  ceiling: number | null;
}

/** When a cluster reaches its ceiling if its load grows as it does today. */
export interface Forecast {
  /** How many whole days it rests on. */
  days: number;
  /** Operations per second, by which the daily peak grows each day; undefined: too few days. */
  growthPerDay: number | undefined;
  /** Undefined: too few days, no growth, no known ceiling, or not within ten years. */
  limitDate: Date | undefined;
}

/** The capacity of one cluster. */
export interface ClusterCapacity extends Forecast {
  /** In this process, the mean of the last minute. */
  operationsPerSecond: number;
  /** Of the lanes of all members that take work in this process, 0 to 1. */
  utilisation: number;
  /** Operations per second, of all processes together; undefined: there was too little load. */
  ceiling: number | undefined;
  /** The same with one more member; undefined if the ceiling is. */
  withOneMore: { ceiling: number; limitDate: Date | undefined } | undefined;
}

/** With fewer whole days a week's rhythm would look like growth. */
const minimumDays = 7;
const dayMs = 86_400_000;
const horizonDays = 3_650;

/** The day of a moment, UTC. */
export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/**
 * A linear trend through the daily peaks, by Theil and Sen: the median of the slopes between all pairs of days, so
 * single days do not bend it (Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", 1968). Today does
 * not count: its peak may still come.
 */
export function forecast(peaks: readonly DailyPeak[], ceiling: number | undefined, now: Date): Forecast {
  const today = dayOf(now);
  const points = peaks
    .filter(({ day }) => day < today)
    .map(({ day, operationsPerSecond }) => ({ x: Date.parse(day) / dayMs, y: operationsPerSecond }));
  const days = points.length;
  if (days < minimumDays) return { days, growthPerDay: undefined, limitDate: undefined };
  const slopes = points.flatMap((one, index) =>
    points.slice(index + 1).map((other) => (other.y - one.y) / (other.x - one.x)),
  );
  const growthPerDay = median(slopes);
  const level = median(points.map(({ x, y }) => y - growthPerDay * x));
  const limitDate =
    growthPerDay > 0 && ceiling !== undefined ? dateAt((ceiling - level) / growthPerDay, now) : undefined;
  return { days, growthPerDay, limitDate };
}

/** @param day days since 1970; one that has passed is today */
function dateAt(day: number, now: Date): Date | undefined {
  const today = Date.parse(dayOf(now)) / dayMs;
  if (day > today + horizonDays) return undefined;
  return new Date(Math.max(today, Math.ceil(day)) * dayMs);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Of members that take work. One whose ceiling is not known counts as the mean of the others; undefined: none is. */
export function clusterCeiling(members: readonly MemberLoad[]): number | undefined {
  const known = members.flatMap(({ ceiling }) => ceiling ?? []);
  if (known.length === 0) return undefined;
  return (sum(known) / known.length) * members.length;
}

/** The rate of all members, and the utilisation of all their lanes. */
export function clusterLoad(members: readonly (MemberLoad & { lanes: number })[]) {
  const lanes = sum(members.map((member) => member.lanes));
  const busy = sum(members.map((member) => member.lanes * member.utilisation));
  const operationsPerSecond = sum(members.map((member) => member.operationsPerSecond));
  return { operationsPerSecond, utilisation: lanes === 0 ? 0 : busy / lanes };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
