/** Sweeps over a scenario: some points in `npm test`, all of them, in shards, in `npm run test:crash`. */
import { appendFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pointName } from './crash-point.js';
import { crashAt, type CrashScenario, enumeratePoints, type PointResult, readResults, samplePoints } from './sweep.js';

/** Set by `npm run test:crash`: the file of the results, and this process's share of the points, such as `1/2`. */
const { HOLDFAST_CRASH_RESULTS: resultsFile, HOLDFAST_CRASH_SHARD: shard = '1/1' } = process.env;
const seed = Number(process.env['HOLDFAST_CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const timeoutMs = resultsFile === undefined ? 300_000 : 10_000_000;

/** @param randomCount how many points a short sweep has besides the scenario's marks */
export function describeCrashes(
  name: string,
  make: () => CrashScenario | Promise<CrashScenario>,
  randomCount: number,
): void {
  test(
    `${name}, killed at a PKCS#11 call, loses nothing and leaves nothing half-made`,
    async () => {
      const scenario = await make();
      try {
        const points = await enumeratePoints(scenario);
        const results =
          resultsFile === undefined
            ? await shortSweep(scenario, samplePoints(points, scenario.marks(points), randomCount, seed))
            : await fullSweep(scenario, resultsFile, scenario.choose(points));
        expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
        expect(results.filter(({ reached }) => !reached)).toEqual([]);
      } finally {
        scenario.dispose();
      }
    },
    timeoutMs,
  );
}

async function shortSweep(scenario: CrashScenario, points: ReturnType<typeof samplePoints>): Promise<PointResult[]> {
  process.stderr.write(`${scenario.name}: again with HOLDFAST_CRASH_SEED=${seed}\n`);
  const results: PointResult[] = [];
  for (const point of points) results.push(await crashAt(scenario, point));
  return results;
}

/** Continues where an earlier run stopped. */
async function fullSweep(
  scenario: CrashScenario,
  path: string,
  all: ReturnType<typeof samplePoints>,
): Promise<PointResult[]> {
  const [part = 1, parts = 1] = shard.split('/').map(Number);
  const points = all.filter((_, index) => index % parts === part - 1);
  const known = new Map(readResults(path).map((result) => [`${result.scenario}: ${result.point}`, result]));
  const results: PointResult[] = [];
  for (const point of points) {
    const name = `${scenario.name}: ${pointName(point)}`;
    const before = known.get(name);
    const result = before ?? (await crashAt(scenario, point));
    results.push(result);
    if (before !== undefined) continue;
    appendFileSync(path, `${JSON.stringify(result)}\n`);
    process.stderr.write(`${results.length} of ${points.length}, ${name}: ${result.problems.join('; ') || 'ok'}\n`);
  }
  return results;
}
