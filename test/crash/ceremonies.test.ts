/** Ceremonies are killed before, inside and after their PKCS#11 calls, and the same command runs again. */
import { CeremonyScenario, ceremonyScenarios } from './ceremony-scenario.js';
import { describeCrashes } from './crash-suite.js';

for (const options of ceremonyScenarios) describeCrashes(options.name, () => CeremonyScenario.make(options), 0);
