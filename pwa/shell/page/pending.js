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
