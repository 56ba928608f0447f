// What was typed into a form, put on top of the form as it is now.

/** @typedef {[string, string][]} Pairs */

export const IDENTITY = "_envelope";
export const OPENED = "_opened";
/** Of the form itself, not of what is filled in. */
const OWN = new Set([IDENTITY, OPENED, "_zone"]);

/**
 * Put what differs from before on top of what is now; the id is that of what was typed.
 * @param {Pairs} now
 * @param {Pairs} typed
 * @param {Pairs} before
 * @returns {Pairs}
 */
export function overlaid(now, typed, before) {
  const [mine, former] = [byName(typed), byName(before)];
  const names = new Set([...mine.keys(), ...former.keys()]);
  const changed = new Set([...names].filter((name) => !OWN.has(name) && !isSame(mine.get(name), former.get(name))));
  const kept = now.filter(([name]) => !changed.has(name) && name !== IDENTITY);
  return [...kept, ...typed.filter(([name]) => changed.has(name) || name === IDENTITY)];
}

/** @param {Pairs} pairs */
function byName(pairs) {
  /** @type {Map<string, string[]>} */
  const found = new Map();
  for (const [name, value] of pairs) found.set(name, [...(found.get(name) ?? []), value]);
  return found;
}

/**
 * @param {unknown} some
 * @param {unknown} other
 */
export function isSame(some, other) {
  return JSON.stringify(some) === JSON.stringify(other);
}
