// Functions for Python that always settle, and fail with what Python can be told.

/**
 * Let every function fail with a plain `Error` only: Python cannot be told of a rejection with
 * anything else, and would wait for ever. A `QuotaExceededError` is such a thing in Chromium.
 * @template {Record<string, (...args: any[]) => any>} T
 * @param {T} functions
 * @returns {T}
 */
export function settlingAll(functions) {
  const made = Object.entries(functions).map(([name, work]) => [name, settling(work)]);
  return Object.fromEntries(made);
}

/** @param {(...args: any[]) => any} work */
function settling(work) {
  return (/** @type {any[]} */ ...args) => {
    try {
      const found = work(...args);
      return typeof found?.then === "function" ? found.then(withPlainErrors, fail) : withPlainErrors(found);
    } catch (error) {
      return fail(error);
    }
  };
}

/** What is handed over may have functions of its own that Python calls. @param {any} found */
function withPlainErrors(found) {
  return typeof found?.next === "function" ? settlingAll(found) : found;
}

/** @param {unknown} error @returns {never} */
function fail(error) {
  throw plain(error);
}

/** @param {unknown} error */
function plain(error) {
  const { name, message } = /** @type {{name?: unknown, message?: unknown}} */ (error ?? {});
  const made = new Error(typeof message === "string" ? message : String(error));
  made.name = typeof name === "string" && name ? name : "UnknownError";
  return made;
}
