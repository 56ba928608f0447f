// The entries of a file as the office takes them: a file may hold more than one request may.

/** The office takes 16 MB and 10,000 entries at once; so little needs no place of the few for large requests. */
const [MOST_BYTES, MOST_ENTRIES] = [768 << 10, 200];

/**
 * Divide entries, in their order; one that is larger goes by itself.
 * @template {{size: number}} T
 * @param {T[]} entries
 * @returns {T[][]}
 */
export function batches(entries) {
  /** @type {T[][]} */
  const found = [];
  let bytes = 0;
  for (const entry of entries) {
    const last = found.at(-1);
    bytes += entry.size + 1;
    if (last && bytes <= MOST_BYTES && last.length < MOST_ENTRIES) last.push(entry);
    else {
      found.push([entry]);
      bytes = entry.size + 1;
    }
  }
  return found;
}
