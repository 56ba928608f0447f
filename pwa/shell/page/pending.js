// Work that a page must wait for before it is left: a picture being made ready, a draft being kept.

/** @type {Set<Promise<unknown>>} */
const works = new Set();
/** @type {(() => void)[]} */
const beginners = [];

/**
 * Let navigation and forms wait for `work`.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export function pending(work) {
  works.add(work);
  const done = () => works.delete(work);
  work.then(done, done);
  return work;
}

/** What the page is not left before; whether one may go on then. @type {Promise<boolean> | null} */
let holding = null;
/** How often somebody wanted to leave it. */
let wishes = 0;

/**
 * Let nobody leave the page before something is done: a Save that waits for Python.
 * @param {Promise<boolean>} work whether one may go on: what is wrong in a form is to be seen
 */
export function holdPage(work) {
  const mine = work.catch(() => false).finally(() => {
    if (holding === mine) holding = null;
  });
  holding = mine;
}

/** Wait for what holds the page. @returns {Promise<boolean>} whether one may go on: of several the last may */
export async function mayLeave() {
  const wish = ++wishes;
  while (holding) {
    document.documentElement.dataset.loading = "";
    if (!(await holding) || wish !== wishes) return false;
  }
  return true;
}

/** Begin what is to be pending before a page is left. @param {() => void} begin */
export function beforeSettled(begin) {
  beginners.push(begin);
}

/** Whether nothing is pending. */
export function isSettled() {
  return works.size === 0;
}

/** Wait until nothing is pending any more. */
export async function settled() {
  beginners.forEach((begin) => begin());
  while (works.size) await Promise.allSettled([...works]);
}
