// The worker with Python, as the shell sees it.

import { pause } from "../../limits.js";

/**
 * @typedef {import("../../manifest.js").Manifest} Manifest
 * @typedef {{event: string, [key: string]: any}} WorkerEvent
 */

/** Something that Python or its worker could not do. */
export class DeviceError extends Error {
  /** @param {{code: string, message: string, detail?: unknown}} error */
  constructor({ code, message, detail }) {
    super(message);
    this.name = "DeviceError";
    this.code = code;
    this.detail = detail;
  }
}

export class Device {
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
  #asked = new Map();
  #last = 0;
  #worker;
  /** @type {Device | null} */
  #helper = null;

  /**
   * @param {Manifest} manifest
   * @param {(event: WorkerEvent) => void} [onEvent]
   */
  constructor(manifest, onEvent = () => {}) {
    this.manifest = manifest;
    this.#worker = new Worker(manifest.urls["worker/worker.js"], { type: "module", name: "fieldpost" });
    this.#worker.onmessage = ({ data }) => (data.event ? onEvent(data) : this.#settle(data));
    this.#worker.onerror = (event) => this.#fail(event.message || "The worker could not start.");
  }

  /**
   * Start Python.
   * @param {boolean} [isSealed] what is kept is not looked at before `open`
   * @returns {Promise<{how: "snapshot" | "ordinary", ms: number}>}
   */
  boot(isSealed = false) {
    return this.#ask({ do: "boot", manifest: this.manifest, isSealed });
  }

  /** Let Python at what is kept. @param {CryptoKey} key @returns {Promise<void>} */
  open(key) {
    return this.#ask({ do: "open", key });
  }

  /**
   * Make and keep a memory snapshot, in a worker of its own. It ends with this device: busy as it is,
   * it would hold the data that signing out removes.
   */
  async makeSnapshot() {
    const helper = (this.#helper = new Device(this.manifest));
    try {
      await helper.#ask({ do: "snapshot", manifest: this.manifest });
    } finally {
      helper.end();
    }
  }

  /**
   * Call a function of the Python client.
   * @param {string} name
   * @param {object} [argument]
   * @returns {Promise<any>}
   */
  call(name, argument = {}) {
    return this.#ask({ do: "call", name, argument });
  }

  /**
   * Wait until nothing is asked any more, but no longer than so many milliseconds.
   * @param {number} ms
   * @returns {Promise<boolean>} whether nothing is
   */
  async idle(ms) {
    for (const end = Date.now() + ms; this.#asked.size && Date.now() < end; ) await pause(20);
    return this.#asked.size === 0;
  }

  /** End Python; what is asked now fails. */
  end() {
    this.#helper?.end();
    this.#worker.terminate();
    this.#fail("Python was ended.");
  }

  /** @param {object} message @returns {Promise<any>} */
  #ask(message) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message });
    });
  }

  /** @param {{id: number, ok: boolean, value: unknown, error: any}} answer */
  #settle({ id, ok, value, error }) {
    const waiting = this.#asked.get(id);
    this.#asked.delete(id);
    if (ok) waiting?.resolve(value);
    else waiting?.reject(new DeviceError(error));
  }

  /** @param {string} message */
  #fail(message) {
    for (const { reject } of this.#asked.values()) reject(new DeviceError({ code: "ended", message }));
    this.#asked.clear();
  }
}
