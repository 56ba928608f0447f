// Which pages are kept, and where: so many places, so many letters; what was seen longest ago goes first.

import { PLACES } from "../../page-places.js";

/**
 * @typedef {{path: string, place: number, size: number, at: number, from: string, after: string}} Kept
 *   place: where its HTML is; size: its letters; at: when it was made; from: the rows that it shows; after: the
 *   outbox that it shows. One that is to be made again shows nothing: size 0, from and after empty
 * @typedef {{version: string, user: string, pages: Kept[]}} Shelf pages: the one that was seen last comes first
 */

/** Letters of one page: a page that is larger takes long to show anyway. */
export const MOST_OF_ONE = 300_000;
/** Letters of all of them. */
export const MOST = 2_000_000;

/**
 * What is kept by what was read; nothing where that is damaged, or of another version or user.
 * @param {any} stored
 * @param {{version: string, user: string}} now
 * @returns {Shelf}
 */
export function shelfOf(stored, { version, user }) {
  const pages = Array.isArray(stored?.pages) ? stored.pages : [];
  const isOurs = stored?.version === version && stored?.user === user && pages.length <= PLACES && pages.every(isKept);
  const isDistinct = isOurs && new Set(pages.map((/** @type {Kept} */ each) => each.place)).size === pages.length;
  return { version, user, pages: isDistinct ? pages : [] };
}

/** @param {any} page */
function isKept(page) {
  const { path, place, size, at, from, after } = page ?? {};
  const isPlace = Number.isInteger(place) && place >= 0 && place < PLACES;
  return isPlace && [path, from, after].every((each) => typeof each === "string") && [size, at].every(Number.isFinite);
}

/**
 * Put a page in front, and take away what there is no room for.
 * @param {Kept[]} pages
 * @param {Omit<Kept, "place">} page
 * @returns {Kept[]} the first one is the page, with its place
 */
export function placed(pages, page) {
  const others = pages.filter(({ path }) => path !== page.path);
  while (others.length >= PLACES || page.size + sizeOf(others) > MOST) others.pop();
  const taken = new Set(others.map(({ place }) => place));
  const place = pages.find(({ path }) => path === page.path)?.place ?? firstFree(taken);
  return [{ ...page, place }, ...others];
}

/**
 * Nobody knows whether she may still see pages of other rows: only their addresses stay, to be made again.
 * @param {Kept[]} pages
 * @param {string} from the rows that are here
 * @returns {Kept[]}
 */
export function withoutOthers(pages, from) {
  return pages.map((page) => (page.from === from ? page : { ...page, size: 0, from: "", after: "" }));
}

/** @param {Kept[]} pages */
function sizeOf(pages) {
  return pages.reduce((sum, { size }) => sum + size, 0);
}

/** @param {Set<number>} taken */
function firstFree(taken) {
  let place = 0;
  while (taken.has(place)) place++;
  return place;
}

/**
 * Whether the page of an address may be kept: those of the device's own rows. What waits, what is in trouble and what
 * is about to go is shown as it is now, or not at all.
 * @param {string} path
 */
export function mayBeKept(path) {
  const place = path.split("?")[0];
  return place === "/" || (place.startsWith("/pages/") && !place.endsWith("/delete"));
}
