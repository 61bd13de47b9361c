import { nativePrograms } from './build.js';
import { summarise, toEchoPerCpu } from './report.js';
import { measureRounds, warmUp } from './rounds.js';
import { comparedLevel, loadedScenarios } from './scenarios.js';
import { Workbench } from './workbench.js';

/**
 * About half of `toEchoPerCpu` on a quiet machine with two cores: a busy one gives less, and machines differ. What falls
 * below has become about twice as expensive. Raise a bound when its ratio has risen for good.
 */
export const smokeBounds: Readonly<Record<string, number>> = {
  'encrypt@32': 0.15,
  'encrypt-context@32': 0.13,
  'decrypt@32': 0.13,
  'generate-data-key@32': 0.13,
  'encrypt-cheap-token@32': 0.18,
};

/** A ratio has fallen below its bound. The message has a sentence for each. */
export class Regression extends Error {}

const warmUpRequests = 4_000;
const seconds = 0.8;
const rounds = 3;

/** The output of `--smoke --json`. */
export interface SmokeReport {
  toEchoPerCpu: Record<string, number>;
  bounds: Readonly<Record<string, number>>;
}

/**
 * The short form for CI: ratios alone, which a slow machine does not change. Ratios that fall below their bounds are
 * measured once more, for longer, before they count.
 * @throws Regression
 */
export async function runSmoke(lanes: number, progress: (line: string) => void): Promise<SmokeReport> {
  const workbench = await Workbench.start({ lanes, keysOnToken: [] });
  try {
    const blocks = [loadedScenarios(workbench, nativePrograms, comparedLevel)];
    await warmUp(blocks, warmUpRequests);
    const measure = async (count: number) => {
      const check = () => workbench.checkAudit();
      return toEchoPerCpu(summarise(await measureRounds(blocks, { rounds: count, seconds, check, progress })));
    };
    let ratios = await measure(rounds);
    if (regressionsOf(ratios).length > 0) ratios = await measure(2 * rounds);
    const found = regressionsOf(ratios);
    if (found.length > 0) throw new Regression(found.join('\n'));
    return { toEchoPerCpu: ratios, bounds: smokeBounds };
  } finally {
    await workbench.stop();
  }
}

/** A sentence for each ratio that is below its bound or was not measured. */
export function regressionsOf(
  measured: Readonly<Record<string, number>>,
  bounds: Readonly<Record<string, number>> = smokeBounds,
): string[] {
  return Object.entries(bounds).flatMap(([name, bound]) => {
    const ratio = measured[name];
    if (ratio === undefined || Number.isNaN(ratio)) return [`${name} was not measured.`];
    if (ratio >= bound) return [];
    return [
      `${name} costs ${(1 / ratio).toFixed(1)} times the CPU of the echo, and at most ${(1 / bound).toFixed(1)} are allowed (bench/smoke.ts).`,
    ];
  });
}

/** The ratios for people. */
export function smokeTable({ toEchoPerCpu: ratios, bounds }: SmokeReport): string {
  const lines = Object.entries(ratios).map(
    ([name, ratio]) => `${name.padEnd(24)} ${ratio.toFixed(3)}  (at least ${bounds[name] ?? 0})`,
  );
  return `CPU of the echo ÷ CPU of the server\n${lines.join('\n')}\n`;
}
