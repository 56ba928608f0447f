// What counts as a signature: something that was drawn, and not a tap, a jump or a swipe.

/** @typedef {{x: number, y: number}} Point @typedef {{points: Point[]}} Stroke */

/** Pixels that a signature is long at least. */
const LEAST_LENGTH = 60;
/** Pixels of a finger that is drawing between two points; what is longer is a jump, and counts so much. */
const LONGEST_STEP = 25;
/** A single line that is hardly longer than the way from its begin to its end is a swipe. */
const STRAIGHT = 1.1;

/**
 * Whether strokes are a signature.
 * @param {Stroke[]} strokes
 */
export function isSignature(strokes) {
  const drawn = strokes.filter(({ points }) => points.length > 1);
  const length = drawn.reduce((sum, { points }) => sum + lengthOf(points, LONGEST_STEP), 0);
  if (length < LEAST_LENGTH) return false;
  return drawn.length > 1 || !isStraight(drawn[0].points);
}

/** @param {Point[]} points */
function isStraight(points) {
  const ends = [points[0], points[points.length - 1]];
  return lengthOf(points, Infinity) < STRAIGHT * lengthOf(ends, Infinity);
}

/**
 * How long a stroke is, in pixels.
 * @param {Point[]} points
 * @param {number} longest so much counts a step at most
 */
function lengthOf(points, longest) {
  let length = 0;
  points.slice(1).forEach(({ x, y }, i) => (length += Math.min(longest, Math.hypot(x - points[i].x, y - points[i].y))));
  return length;
}
