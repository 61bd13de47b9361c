import { fileURLToPath } from 'node:url';
import type { Comparison } from './comparison.js';
import { runProgram } from './program.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const load = fileURLToPath(new URL('attempt-cost-load.ts', import.meta.url));

/** Clusters that are compared with a plain one of two members. */
export const comparedClusters = ['control', 'hedging', 'repetition'] as const;

/** The share of operations whose first attempt fails in `repetition`. */
export const repeatedShare = 0.01;

export interface AttemptCostPlan {
  inFlight: number;
  /** Operations on each cluster before the measurement. */
  warmUpOperations: number;
  operationsPerSlice: number;
  /** Blocks of each comparison; a block has two pairs. */
  blocks: number;
}

/** CPU of an encryption through the cluster ÷ that of the plain one, in the same process. */
export interface AttemptCostReport extends Record<(typeof comparedClusters)[number], Comparison> {
  /** CPU of an encryption through the plain cluster: the median, in microseconds. */
  plainMicrosPerOperation: number;
}

/** What hedging and repeated attempts add. */
export async function measureAttemptCost(plan: AttemptCostPlan): Promise<AttemptCostReport> {
  const parameters = ['--import', typescriptHooks, load, JSON.stringify(plan)];
  const output = await runProgram({ program: process.execPath, parameters, environment: withoutHooks() });
  return JSON.parse(output) as AttemptCostReport;
}
