// What a page does: one library, one task, which the address names; how long it took is left on the window.
//
// Each library does the same in the best configuration that its documentation names.

/**
 * @typedef {{id: number, name: string, amount: number, note: string}} Row
 * @typedef {{load: (address: string) => Promise<void>, first: () => Promise<Row[]>,
 *   save: (records: object[]) => Promise<void>}} Peer load: bring rows; first: what a list shows first, the largest
 *   amount at the top; save: keep a form of 1 + 20 records
 */

export const SHOWN = 50;
const RECORDS = 21;
const SAVES = 15;

/** @type {Record<string, (peer: Peer) => Promise<number>>} */
const TASKS = {
  load: (peer) => timed(() => peer.load("/rows")),
  // from the navigation on: the library's script is part of its start
  start: async (peer) => {
    show(await peer.first());
    return performance.now();
  },
  save: async (peer) => {
    const times = [];
    for (let round = 0; round < SAVES; round++) times.push(await timed(() => peer.save(form(round))));
    return times.sort((a, b) => a - b)[SAVES >> 1];
  },
};

/** @param {() => Peer | Promise<Peer>} open */
export async function run(open) {
  const task = new URLSearchParams(location.search).get("task") ?? "";
  try {
    Object.assign(window, { took: await TASKS[task](await open()) });
  } catch (error) {
    Object.assign(window, { failed: String(error) });
  }
}

/** @param {string} address @returns {Promise<Row[]>} */
export async function rowsOf(address) {
  return (await fetch(address)).json();
}

/** @param {() => Promise<void>} work @returns {Promise<number>} milliseconds */
async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** @param {Row[]} rows */
function show(rows) {
  if (rows.length !== SHOWN) throw new Error(`there are ${rows.length} rows`);
  const body = document.querySelector("tbody");
  const line = (/** @type {Row} */ row) => Object.assign(document.createElement("tr"), { textContent: `${row.name} ${row.amount}` });
  body?.append(...rows.map(line));
}

/** @param {number} round */
function form(round) {
  return Array.from({ length: RECORDS }, (_, number) => ({ name: `visit ${round}`, note: `line ${number}`, severity: 3 }));
}
