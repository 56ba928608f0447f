// No wait without an end: what the browser may never answer is waited for with a limit.

/** Something took longer than anybody waits for it. */
export class TookTooLong extends Error {
  /** @param {string} words what did */
  constructor(words) {
    super(`${words} took too long`);
    this.name = "TimeoutError";
  }
}

/**
 * Wait for something, but no longer than so many milliseconds.
 * @template T
 * @param {number} ms
 * @param {PromiseLike<T>} work goes on when the time is over; nobody waits for it any more
 * @param {string} words what it is, for people
 * @returns {Promise<T>} rejects with `TookTooLong` when the time is over
 */
export function within(ms, work, words) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new TookTooLong(words)), ms);
    const end = () => clearTimeout(timer);
    work.then(
      (value) => (end(), resolve(value)),
      (error) => (end(), reject(error)),
    );
  });
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
