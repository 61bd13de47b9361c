/** Kills a process at one point after the other, and lets another one recover each time. */
import { existsSync, readFileSync } from 'node:fs';
import { SeededRandom } from '../faults/seeded-random.js';
import { arm, type Called, type CrashPoint, pointName, Recording } from './crash-point.js';

/** Something that a process does, and what must be true after another has followed the killed one. */
export interface CrashScenario extends Called {
  readonly name: string;
  /** Brings tokens and files back to what they were before the act. */
  restore(): void;
  /**
   * Does it in a process of its own, and calls `begin` when its calls start to count.
   * @returns whether the process was killed by then
   */
  act(begin: () => void): Promise<boolean>;
  /** Points of the act that has just ended, besides its PKCS#11 calls, or in their place. Left out: the calls. */
  pointsOf?(recorded: readonly CrashPoint[]): CrashPoint[];
  /** Lets a process die at the point. Left out: the one that makes the call. */
  arm?(point: CrashPoint): void;
  /** Starts again. @returns the invariants that do not hold */
  recover(): Promise<string[]>;
  /** The points of a full sweep. */
  choose(points: readonly CrashPoint[]): CrashPoint[];
  /** The points that a short one must have. */
  marks(points: readonly CrashPoint[]): CrashPoint[];
  dispose(): void;
}

export interface PointResult {
  scenario: string;
  point: string;
  /** Whether the process came as far as the point. */
  reached: boolean;
  problems: string[];
  tookMs: number;
}

/** Runs the act to its end. @returns the points of its calls. @throws if it does not even succeed undisturbed */
export async function enumeratePoints(scenario: CrashScenario): Promise<CrashPoint[]> {
  scenario.restore();
  let recording: Recording | undefined;
  const wasKilled = await scenario.act(() => {
    recording = new Recording(scenario);
  });
  const calls = recording?.points() ?? [];
  const points = scenario.pointsOf?.(calls) ?? calls;
  const problems = await scenario.recover();
  if (wasKilled || points.length === 0 || problems.length > 0) {
    throw new Error(`${scenario.name} fails without a kill, after ${points.length} points: ${problems.join('; ')}`);
  }
  return points;
}

const maxTries = 3;

/** Kills the process at the point, and lets another one follow. */
export async function crashAt(scenario: CrashScenario, point: CrashPoint): Promise<PointResult> {
  const startedMs = performance.now();
  let reached = false;
  let problems: string[] = [];
  // Calls of several lanes come in an order of their own each time, so a point may be missed.
  for (let tries = 0; tries < maxTries && !reached && problems.length === 0; tries += 1) {
    scenario.restore();
    reached = await scenario.act(() => (scenario.arm === undefined ? arm(scenario, point) : scenario.arm(point)));
    for (const called of [...scenario.faults, scenario.disk]) called?.heal();
    problems = await scenario.recover().catch((error: unknown) => [String(error)]);
  }
  const tookMs = Math.round(performance.now() - startedMs);
  return { scenario: scenario.name, point: pointName(point), reached, problems, tookMs };
}

/** The scenario's marks, the first point, the last, and some at random. */
export function samplePoints(
  points: readonly CrashPoint[],
  marks: readonly CrashPoint[],
  randomCount: number,
  seed: number,
): CrashPoint[] {
  const random = new SeededRandom(seed);
  const chosen = new Set([...points.slice(0, 1), ...points.slice(-1), ...marks]);
  for (let drawn = 0; drawn < randomCount; drawn += 1) chosen.add(random.pick(points));
  return points.filter((point) => chosen.has(point));
}

/** The results in a file of JSON lines; none if there is no file. */
export function readResults(path: string): PointResult[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as PointResult);
}
