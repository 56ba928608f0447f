// The module worker in which Python lives. Speaks to the shell in messages of plain data.

import { deathOf, makeSnapshot, refill, start } from "./boot.js";
import { makeBridge } from "./bridge.js";
import * as store from "../store.js";
import { sealed, unsealed } from "./snapshot.js";
import { readImage } from "../stored-files.js";

/**
 * @typedef {import("../manifest.js").Manifest} Manifest
 * @typedef {{id: number, do: string, manifest?: Manifest, name?: string, argument?: unknown}} Message
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
  if (message.do === "boot" && message.manifest) return boot(message.manifest);
  if (message.do === "snapshot" && message.manifest) return storeSnapshot(message.manifest);
  if (message.do === "call" && message.name) return queue(message.name, message.argument);
  throw new TypeError(`The worker knows no message "${message.do}".`);
}

/** @param {Manifest} manifest */
async function boot(manifest) {
  const begin = performance.now();
  const started = startPython(manifest);
  python = started.then(({ call }) => call);
  const { how } = await started;
  return { how, ms: Math.round(performance.now() - begin) };
}

/** @param {Manifest} manifest */
async function startPython(manifest) {
  const use = store.connection();
  // the data may not be there yet; later it is opened again only if it is
  (await store.open()).close();
  const generation = takingOver(use);
  await generation().catch((error) => console.info(error)); // a full device starts, too
  const snapshot = readSnapshot(use, manifest.python_version);
  const replica = await use((db) => store.read(db, "replica", "current"));
  const pieces = Array.isArray(replica?.pieces) ? replica.pieces : null;
  const image = pieces && use((db) => readImage(db, pieces));
  image?.catch(() => {}); // reported where it is used
  const report = (/** @type {object} */ note) => self.postMessage({ event: "boot", ...note });
  const begun = await start(manifest, snapshot, report);
  const prefetched = pieces && image ? { pieces, image } : null;
  // Python sees this as `js.fieldpost`
  Object.assign(self, {
    fieldpost: makeBridge(use, generation, prefetched, (event) => self.postMessage(event)),
  });
  const main = begun.python.pyimport("fieldpost_client.main");
  if (begun.how === "snapshot") setTimeout(() => refill(begun.python, manifest), REFILL_AFTER_MS);
  const death = deathOf(begun.python);
  death.catch(() => {}); // whoever waits for an answer hears of it
  const call = (/** @type {string} */ n, /** @type {string} */ a) => Promise.race([main.call(n, a), death]);
  return { how: begun.how, call };
}

/**
 * Take the data over once; where that failed, before the next write.
 * @param {ReturnType<typeof store.connection>} use
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
 * @param {ReturnType<typeof store.connection>} use
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
