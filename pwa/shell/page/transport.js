// Gets pages: from Python on this device, or from the server.

import { context, locale } from "./context.js";
import { signIn } from "./sign-in.js";
import { askOffice, NoAnswer } from "../../office.js";

/**
 * @typedef {{method: string, path: string, headers?: Record<string, string>, body?: string | null}} Asked
 * @typedef {{status: number, path: string, html: string | null, redirected: boolean}} Page
 *   path: where it came from in the end; html: null when the answer is no page
 */

const MAX_REDIRECTS = 10;
/** On every page that a handler of ours made, and on nothing that a user brought. */
const PAGE = "fieldpost-page";
const FORM = "application/x-www-form-urlencoded";

/**
 * Ask for a page and follow its redirects.
 * @param {Asked} asked
 * @param {(path: string) => void} onRedirect hears where a form led to, before that page is asked for
 * @returns {Promise<Page>}
 */
export async function ask(asked, onRedirect) {
  if (!context.device) return askServer(asked, onRedirect);
  let redirected = false;
  for (let i = 0; i < MAX_REDIRECTS; i++) {
    const answer = await context.device.call("request", { ...asData(asked), ...locale() });
    if (answer.headers["fieldpost-elsewhere"] === "server") {
      return askServer(asked, onRedirect).catch((error) => askUnreachable(asked, error));
    }
    if (!answer.headers.location) {
      return { status: answer.status, path: asked.path, html: answer.body, redirected };
    }
    onRedirect(answer.headers.location);
    asked = { method: "GET", path: withoutDone(answer.headers.location) };
    redirected = true;
  }
  throw new Error("This page leads from one address to the next without end.");
}

/** @param {Asked} asked */
function asData({ method, path, headers = {}, body = null }) {
  /** @type {Record<string, string>} */
  const type = body === null ? {} : { "content-type": FORM };
  return { method, path, headers: { accept: "text/html", ...type, ...headers }, body };
}

/**
 * @param {Asked} asked
 * @param {(path: string) => void} onRedirect
 * @returns {Promise<Page>}
 */
async function askServer(asked, onRedirect) {
  const { method, path, headers, body } = asData(asked);
  const response = await askOffice(path, {
    method,
    body,
    headers: { ...headers, "Fieldpost-Shell": "1", ...ownLocale() },
  });
  const url = new URL(response.url);
  if (response.status === 401 || (url.pathname === "/sign-in" && path !== "/sign-in")) {
    if (await signIn()) return askServer(asked, onRedirect);
    throw new NoAnswer("not signed in");
  }
  const found = url.pathname + url.search;
  if (response.redirected) onRedirect(found);
  const html = response.headers.has(PAGE) ? await response.text() : null;
  return { status: response.status, path: withoutDone(found), html, redirected: response.redirected };
}

/** A device's pages and the server's are told in one zone. @returns {Record<string, string>} */
function ownLocale() {
  const { zone, mark } = locale();
  return context.device ? { "Fieldpost-Zone": zone, "Fieldpost-Mark": mark } : {};
}

/**
 * Let the device say that a page needs the server, which cannot be reached.
 * @param {Asked} asked
 * @param {unknown} error
 * @returns {Promise<Page>}
 */
async function askUnreachable(asked, error) {
  // what a form holds stays where it is, with a message
  if (!(error instanceof NoAnswer) || asked.method !== "GET") throw error;
  const headers = { ...asked.headers, "fieldpost-unreachable": "1" };
  const answer = await context.device?.call("request", asData({ ...asked, headers }));
  if (!answer?.body) throw error;
  return { status: answer.status, path: asked.path, html: answer.body, redirected: false };
}

/** Take the announcement out of an address. @param {string} path */
export function withoutDone(path) {
  const url = new URL(path, location.origin);
  url.searchParams.delete("done");
  return url.pathname + url.search;
}
