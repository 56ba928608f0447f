// The module worker in which Python lives. Speaks to the shell in messages of plain data.

import { deathOf, makeSnapshot, refill, start } from "./boot.js";
import { makeBridge } from "./bridge.js";
import { pause } from "../limits.js";
import { useKey } from "../sealing.js";
import * as store from "../store.js";
import { connection } from "../store-connection.js";
import { sealed, unsealed } from "./snapshot.js";
import { readImage } from "../stored-files.js";

/**
 * @typedef {import("../manifest.js").Manifest} Manifest
 * @typedef {{id: number, do: string, manifest?: Manifest, isSealed?: boolean, isWhole?: boolean, key?: CryptoKey,
 *   name?: string, argument?: unknown}} Message
 * @typedef {"foreground" | "background" | "telling"} Lane
 */

/**
 * Calls that wait for the network: they run beside the others, which stay quick meanwhile.
 * @type {Map<string, Lane>}
 */
const BESIDE = new Map([
  ["sync", "background"],
  ["download", "background"],
  ["hand_over", "background"],
  ["tell", "telling"],
]);
const REFILL_AFTER_MS = 3_000;

/** @type {Promise<(name: string, text: string) => Promise<string>> | null} */
let python = null;
/** @type {Record<Lane, Promise<unknown>>} */
const lanes = { foreground: Promise.resolve(), background: Promise.resolve(), telling: Promise.resolve() };

self.onmessage = async ({ data }) => {
  /** @type {Message} */
  const message = data;
  try {
    self.postMessage({ id: message.id, ok: true, value: await handle(message) });
  } catch (error) {
    self.postMessage({ id: message.id, ok: false, error: asData(error) });
  }
};

self.postMessage({ event: "awake" });

/** @param {Message} message */
function handle(message) {
  if (message.do === "boot" && message.manifest) return boot(message.manifest, message);
  if (message.do === "open" && message.key) return open(message.key);
  if (message.do === "refill") return letRefill();
  if (message.do === "snapshot" && message.manifest) return storeSnapshot(message.manifest);
  if (message.do === "call" && message.name) return queue(message.name, message.argument);
  throw new TypeError(`The worker knows no message "${message.do}".`);
}

/** What was kept is read once its key is here; Python starts before. @type {Promise<void>} */
let opened = Promise.resolve();
let letOpen = () => {};
/** What is put back into the file system has come; until then Python has its memory alone. @type {Promise<void>} */
let refillable = Promise.resolve();
let letRefill = () => {};

/** @param {CryptoKey} key */
function open(key) {
  useKey(key);
  letOpen();
}

/**
 * @param {Manifest} manifest
 * @param {{isSealed?: boolean, isWhole?: boolean}} how isSealed: the key is still to come; isWhole: all
 *   files of the version are here
 */
async function boot(manifest, { isSealed = false, isWhole = true }) {
  const begin = performance.now();
  if (!isWhole) refillable = new Promise((resolve) => (letRefill = resolve));
  if (isSealed) opened = new Promise((resolve) => (letOpen = resolve));
  const started = startPython(manifest, isWhole);
  python = started.then(({ call }) => call);
  python.catch(() => {}); // reported below
  const { how } = await started;
  return { how, ms: Math.round(performance.now() - begin) };
}

/**
 * @param {Manifest} manifest
 * @param {boolean} isWhole
 */
async function startPython(manifest, isWhole) {
  const useAny = connection();
  /** @type {typeof useAny} */
  const use = async (task) => {
    await opened;
    return useAny(task);
  };
  // the data may not be there yet; later it is opened again only if it is
  (await store.open()).close();
  const generation = takingOver(useAny);
  await generation().catch((error) => console.info(error)); // a full device starts, too
  const snapshot = readSnapshot(useAny, manifest.python_version);
  const prefetched = readReplica(use);
  prefetched.catch(() => {}); // reported where it is used
  const report = (/** @type {object} */ note) => self.postMessage({ event: "boot", ...note });
  const begun = await start(manifest, snapshot, report, isWhole);
  // Python sees this as `js.fieldpost`
  Object.assign(self, {
    fieldpost: makeBridge(use, generation, prefetched, (event) => self.postMessage(event)),
  });
  const main = begun.python.pyimport("fieldpost_client.main");
  if (begun.how === "snapshot") void refillLater(begun.python, manifest, isWhole);
  const death = deathOf(begun.python);
  death.catch(() => {}); // whoever waits for an answer hears of it
  const call = (/** @type {string} */ n, /** @type {string} */ a) => Promise.race([main.call(n, a), death]);
  return { how: begun.how, call };
}

/**
 * @param {import("./python.js").Python} restored
 * @param {Manifest} manifest
 * @param {boolean} isWhole
 */
async function refillLater(restored, manifest, isWhole) {
  await Promise.all([refillable, pause(REFILL_AFTER_MS)]);
  await refill(restored, manifest, isWhole).catch((error) => console.info(error)); // what is imported late says what is missing
}

/**
 * @param {ReturnType<typeof connection>} use
 * @returns {Promise<import("./bridge.js").Prefetched | null>}
 */
async function readReplica(use) {
  const replica = await use((db) => store.read(db, "replica", "current"));
  const pieces = Array.isArray(replica?.pieces) ? replica.pieces : null;
  const image = pieces && use((db) => readImage(db, pieces));
  image?.catch(() => {}); // reported where it is used
  return pieces && image && { pieces, image };
}

/**
 * Take the data over once; where that failed, before the next write.
 * @param {ReturnType<typeof connection>} use
 * @returns {() => Promise<number>}
 */
function takingOver(use) {
  /** @type {Promise<number> | null} */
  let taken = null;
  return () => {
    taken ??= use(store.takeOver).catch((error) => {
      taken = null;
      throw error;
    });
    return taken;
  };
}

/**
 * @param {ReturnType<typeof connection>} use
 * @param {string} version
 * @returns {Promise<Uint8Array | null>}
 */
async function readSnapshot(use, version) {
  return unsealed(await use((db) => store.read(db, "snapshots", version)));
}

/** @param {Manifest} manifest */
async function storeSnapshot(manifest) {
  const db = await store.open();
  const key = manifest.python_version;
  const old = (await store.keys(db, "snapshots")).filter((other) => other !== key);
  const made = await makeSnapshot(manifest);
  const bytes = made.byteLength === made.buffer.byteLength ? made.buffer : made.slice().buffer;
  // fault point: snapshot-unstored — nothing but time is lost: the next start is an ordinary one and makes
  // the snapshot again; old and new change places in one transaction.
  await store.write(db, [
    ...old.map((other) => /** @type {store.Operation} */ (["delete", "snapshots", other])),
    ["put", "snapshots", key, sealed(/** @type {ArrayBuffer} */ (bytes))],
  ]);
  return { size: bytes.byteLength };
}

/**
 * Call Python after the calls before it in its lane.
 * @param {string} name
 * @param {unknown} argument
 */
function queue(name, argument) {
  const lane = BESIDE.get(name) ?? "foreground";
  const turn = lanes[lane].then(async () => {
    const call = await python;
    if (!call) throw new Error("Python was not started.");
    return JSON.parse(await call(name, JSON.stringify(argument ?? {})));
  });
  lanes[lane] = turn.catch(() => {}); // the caller hears of it
  return turn;
}

/** @param {unknown} error */
function asData(error) {
  const found = error instanceof Error ? error : new Error(String(error));
  const lines = found.message.trim().split("\n");
  return { code: found.name, message: lines[lines.length - 1], detail: found.message };
}
