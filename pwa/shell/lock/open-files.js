// The service worker shows pictures and files, and has no key: a window opens them for it.

import { database } from "../page/context.js";
import { isSealing } from "../../sealing.js";
import { readFile } from "../../stored-files.js";

/** Answer what the service worker asks. */
export function startOpeningFiles() {
  navigator.serviceWorker?.addEventListener("message", ({ data, ports: [port] }) => {
    if (data?.do === "open-file" && port) void answer(String(data.sha256), port);
  });
}

/**
 * @param {string} sha256
 * @param {MessagePort} port
 */
async function answer(sha256, port) {
  try {
    port.postMessage(isSealing() ? await readFile(await database(), sha256) : null);
  } catch (error) {
    console.info(error);
    port.postMessage(null);
  }
}
