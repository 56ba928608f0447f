// Where kept pages lie in the store: what the shell keeps to be quick, and gives up where work needs the space.

/** In the store `replica`: which pages are kept. */
export const SHELF = "pages";
export const PLACES = 40;

/** Where the HTML of a page is. @param {number} place */
export function nameOf(place) {
  return `page-${place}`;
}

/** @returns {["delete", string, string][]} what removes all of them */
export function withoutPages() {
  const names = [SHELF, ...[...Array(PLACES).keys()].map(nameOf)];
  return names.map((name) => ["delete", "replica", name]);
}
