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

/** A worker that has not begun by then never does; the next one has twice as long, on a slow device. */
const WAKING_MS = 5_000;

export class Device {
  /** @type {Map<number, {message: object, resolve: (value: any) => void, reject: (error: Error) => void}>} */
  #asked = new Map();
  #last = 0;
  #onEvent;
  #worker;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #waking;
  /** @type {Device | null} */
  #helper = null;

  /**
   * @param {Manifest} manifest
   * @param {(event: WorkerEvent) => void} [onEvent]
   */
  constructor(manifest, onEvent = () => {}) {
    this.manifest = manifest;
    this.#onEvent = onEvent;
    this.#worker = this.#begin(WAKING_MS);
  }

  /**
   * Begin a worker. Chromium loses the request for its script where one service worker takes the place of
   * another just then: no answer comes and no error, and asked for again it is there at once.
   * @param {number} patience in milliseconds
   */
  #begin(patience) {
    const worker = new Worker(this.manifest.urls["worker/worker.js"], { type: "module", name: "fieldpost" });
    worker.onmessage = ({ data }) => {
      if (data.event === "awake") clearTimeout(this.#waking);
      else if (data.event) this.#onEvent(data);
      else this.#settle(data);
    };
    worker.onerror = (event) => this.#fail(event.message || "The worker could not start.");
    this.#waking = setTimeout(() => {
      worker.terminate();
      this.#worker = this.#begin(2 * patience);
      this.#asked.forEach(({ message }) => this.#worker.postMessage(message));
    }, patience);
    return worker;
  }

  /**
   * Start Python.
   * @param {{isSealed?: boolean, isWhole?: boolean}} [how] isSealed: what is kept is not looked at before
   *   `open`; isWhole: all files of the version are here
   * @returns {Promise<{how: "snapshot" | "ordinary", ms: number}>}
   */
  boot({ isSealed = false, isWhole = true } = {}) {
    return this.#ask({ do: "boot", manifest: this.manifest, isSealed, isWhole });
  }

  /** All files of the version are here by now. @returns {Promise<void>} */
  refill() {
    return this.#ask({ do: "refill" });
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
    clearTimeout(this.#waking);
    this.#worker.terminate();
    this.#fail("Python was ended.");
  }

  /** @param {object} message @returns {Promise<any>} */
  #ask(message) {
    const asked = { id: ++this.#last, ...message };
    return new Promise((resolve, reject) => {
      this.#asked.set(asked.id, { message: asked, resolve, reject });
      this.#worker.postMessage(asked);
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
    clearTimeout(this.#waking);
    for (const { reject } of this.#asked.values()) reject(new DeviceError({ code: "ended", message }));
    this.#asked.clear();
  }
}
