// Stands for Python while that starts: what is asked of it waits, and is done once Python is there.

/** @typedef {import("../page/context.js").Device} Device */

/** @implements {Device} */
export class StartingDevice {
  /** Whether it was ended before Python was there. */
  hasEnded = false;
  #end;
  /** @type {(device: Device) => void} */
  #arrived = () => {};
  /** @type {(error: unknown) => void} */
  #failed = () => {};

  /** @param {() => void} end ends what starts */
  constructor(end) {
    this.#end = end;
    /** Python itself, once it is there. @type {Promise<Device>} */
    this.started = new Promise((resolve, reject) => {
      [this.#arrived, this.#failed] = [resolve, reject];
    });
    this.started.catch(() => {}); // whoever asks something hears of it
  }

  /** @param {Device} device */
  arrive(device) {
    this.#arrived(device);
  }

  /** @param {unknown} error */
  fail(error) {
    this.#failed(error);
  }

  /**
   * @param {string} name
   * @param {object} [argument]
   * @returns {Promise<any>}
   */
  async call(name, argument) {
    if (name === "sign_out") return {}; // nothing is open yet
    return (await this.started).call(name, argument);
  }

  /** @returns {Promise<boolean>} nothing is being done yet */
  idle() {
    return Promise.resolve(true);
  }

  end() {
    this.hasEnded = true;
    this.#end();
  }
}
