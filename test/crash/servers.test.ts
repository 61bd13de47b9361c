/** Servers that make, repair and destroy keys, and restores, are killed before, inside and after each of their PKCS#11 calls. */
import { afterAll, beforeAll, expect } from 'vitest';
import { describeCrashes } from './crash-suite.js';
import { KeptDeployment } from './kept-deployment.js';
import { RestoreScenario } from './restore-scenario.js';
import { ServerScenario } from './server-scenario.js';
import { serverScenarios } from './server-scenarios.js';

let kept: KeptDeployment;

beforeAll(async () => {
  kept = await KeptDeployment.make(2);
});
afterAll(() => {
  expect(kept.wrapped.deployment.findSecrets()).toEqual([]);
  kept.dispose();
});

for (const options of serverScenarios) describeCrashes(options.name, () => new ServerScenario(kept, options), 1);
describeCrashes('restore', () => RestoreScenario.make(kept), 1);
