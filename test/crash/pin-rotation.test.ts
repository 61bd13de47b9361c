/**
 * A rotation of a PIN is killed at each commit of the catalog and at each PKCS#11 call: the server, or the program that
 * calls the token alone.
 */
import { describeCrashes } from './crash-suite.js';
import { PinScenario } from './pin-scenario.js';

describeCrashes('rotate-pin', () => PinScenario.make(), 1);
