/** Reads what AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer wrote about programs that run Node. */

/** Everything but a leak; what kept a sanitizer from looking counts as well. */
const error =
  /^.*(?:ERROR: AddressSanitizer|AddressSanitizer: CHECK failed|LeakSanitizer has encountered|incompatible with sanitizer|: runtime error: )/m;

/** Frames between an allocation and who asked for it. */
const onBehalf = /libsanitizer|\/include\/c\+\+\/|libstdc\+\+|node-addon-api/;

/** Of our namespaces or sources (whose paths are relative where ccache compiled); a frame of Node or a library is of neither. */
const ours =
  /\b(?:holdfast|faulthsm)::|(?:native|\.\.)\/src\/\S+:\d|\/(?:fault-hsm|vendor-hsm|token-reader|nss-token|leak-check)\/\S+:\d/;

/**
 * Whether our code allocated what leaked. V8 keeps its objects in memory that LeakSanitizer does not read, so that what Node
 * allocates on behalf of JavaScript always looks lost: those leaks, and those of other programs, are not ours to judge.
 */
function isOurs(leak) {
  const frames = leak.split('\n').filter((line) => /^ +#\d+ /.test(line));
  const asked = frames.find((frame) => !onBehalf.test(frame));
  return asked === undefined || ours.test(asked);
}

/**
 * @param {string} report what one process wrote
 * @returns {string[]} errors, and leaks of our code
 */
export function findingsIn(report) {
  const leaks = report.match(/^(?:Direct|Indirect) leak of .*(?:\n +#.*)*/gm) ?? [];
  const found = error.exec(report);
  return [...(found === null ? [] : [report.slice(found.index).trim()]), ...leaks.filter(isOurs)];
}

/**
 * @param {string} report what one process wrote
 * @returns {boolean} whether LeakSanitizer looked; it says so only where it found something, which in Node it always does
 */
export function lookedForLeaks(report) {
  return report.includes('LeakSanitizer: detected memory leaks');
}
