import { fileURLToPath } from 'node:url';
import { encodeHeader, envelopeAdditionalData } from '../src/operations/envelope.js';
import { canonicalContext } from '../src/operations/encryption-context.js';
import type { AddonLoad } from './addon-load.js';
import { measureWithGhz } from './ghz.js';
import { measureWithH2load } from './h2load.js';
import type { Measurement, Scenario } from './measurement.js';
import { runProgram } from './program.js';
import type { Target } from './target.js';
import { plaintextBytes, typescriptHooks, withoutHooks, type Workbench } from './workbench.js';

/** What is measured, and for how long. */
export interface Plan {
  lanes: number;
  /** In flight, at the addon. Holds 16, which `addonToRaw` is about. */
  addonLevels: readonly number[];
  /** In flight, at the servers. Holds 32, which `encryptToEchoPerCpu` is about. */
  serverLevels: readonly number[];
  /** Undefined where ghz is not there. */
  ghzPath: string | undefined;
}

/** Where the native parts of the bench have been built. */
export interface NativePrograms {
  rawCeiling: string;
  clientCertificateLibrary: string;
}

/** In flight where servers are compared with each other. */
const comparedLevel = 32;

/** In flight in the scenarios of ghz, a load that takes a core for itself. */
const ghzLevel = 32;

/** As long as the additional data of an Encrypt without an encryption context. */
const additionalDataBytes = envelopeAdditionalData(
  encodeHeader({ keyId: '00000000-0000-0000-0000-000000000000', materialId: '00'.repeat(32) }),
  canonicalContext(new Map()),
).byteLength;

/** All scenarios, in the order of one round: what is compared stands side by side. */
export function scenariosOf(plan: Plan, workbench: Workbench, programs: NativePrograms): Scenario[] {
  const servers = { echo: workbench.echo, encrypt: workbench.holdfast };
  const each = (measure: (name: string, target: Target) => Scenario): Scenario[] =>
    Object.entries(servers).map(([name, target]) => measure(name, target));
  const withH2load = plan.serverLevels.flatMap((inFlight) =>
    each((name, target) => ({
      name: `${name}-h2load@${inFlight}`,
      inFlight,
      measure: (seconds) => measureWithH2load(target, programs.clientCertificateLibrary, inFlight, seconds),
    })),
  );
  const observed = Object.entries({ traced: workbench.traced, counted: workbench.counted }).map(([name, target]) => ({
    name: `encrypt-${name}-h2load@${comparedLevel}`,
    inFlight: comparedLevel,
    measure: (seconds: number) => measureWithH2load(target, programs.clientCertificateLibrary, comparedLevel, seconds),
  }));
  // Beside what they are compared with.
  withH2load.splice(withH2load.findIndex(({ name }) => name === `encrypt-h2load@${comparedLevel}`) + 1, 0, ...observed);
  const { ghzPath } = plan;
  const withGhz =
    ghzPath === undefined
      ? []
      : each((name, target) => ({
          name: `${name}-ghz@${ghzLevel}`,
          inFlight: ghzLevel,
          measure: (seconds) => measureWithGhz(ghzPath, target, ghzLevel, seconds),
        }));
  return [...rawScenarios(workbench, programs), ...addonScenarios(plan, workbench), ...withH2load, ...withGhz];
}

function rawScenarios(workbench: Workbench, { rawCeiling }: NativePrograms): Scenario[] {
  const measure = async (seconds: number, mode: string): Promise<Measurement> => {
    const { libraryPath, environment } = workbench.softHsm;
    const { tokenLabel, pin } = workbench.benchToken;
    const lengths = [plaintextBytes, additionalDataBytes].map(String);
    const output = await runProgram({
      program: rawCeiling,
      parameters: [libraryPath, tokenLabel, mode, String(seconds), ...lengths],
      environment,
      input: pin,
    });
    return JSON.parse(output) as Measurement;
  };
  return [
    { name: 'raw-encrypt', inFlight: 1, measure: (seconds) => measure(seconds, 'encrypt') },
    { name: 'raw-random-encrypt', inFlight: 1, measure: (seconds) => measure(seconds, 'random-encrypt') },
  ];
}

function addonScenarios(plan: Plan, workbench: Workbench): Scenario[] {
  const script = fileURLToPath(new URL('addon-load.ts', import.meta.url));
  return plan.addonLevels.map((inFlight) => ({
    name: `addon-encrypt@${inFlight}`,
    inFlight,
    measure: async (seconds) => {
      const { libraryPath, environment } = workbench.softHsm;
      const { tokenLabel, pin } = workbench.benchToken;
      const sizes = { plaintextBytes, additionalDataBytes };
      const load: AddonLoad = { libraryPath, environment, tokenLabel, lanes: plan.lanes, ...sizes, inFlight, seconds };
      const output = await runProgram({
        program: process.execPath,
        parameters: ['--import', typescriptHooks, script, JSON.stringify(load)],
        environment: withoutHooks(),
        input: pin,
      });
      return JSON.parse(output) as Measurement;
    },
  }));
}
