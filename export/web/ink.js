// Where a drawing lies in the frame of a student, and how thick its strokes are.
import { areaMeans, whole } from "./areas.js";

// Of scikit-learn's digits, in [0, 1], the mean is 0.305, and that of each of the ten
// classes between 0.296 and 0.322: they were made equally dark, whatever the pen.
export const INK_SHARE = 0.305;
const LEAST_INK = 0.1;
// Fine enough for strokes in a frame of under 16 pixels, and soon done.
const COARSE = 80;

/** Whether drawings fill the frame of a student, as scikit-learn's digits of 8x8 do. */
export function fillsFrame(plan) {
  return plan.height < 16;
}

/**
 * A drawing, and the box of it that becomes the student's frame.
 *
 * In small frames, the ink fills the frame from edge to edge, and its strokes are made
 * as thick as to cover 0.305 of it. In larger ones it lies as MNIST's digits do: in
 * 20/28 of the frame, its mass in the middle.
 */
export function fitted(ink, plan) {
  if (!ink.values.some((value) => value >= LEAST_INK)) {
    return { drawing: ink, box: whole(ink) };
  }
  const drawing = fillsFrame(plan) ? equallyDark(ink, plan) : ink;
  const bounds = boundsOf(drawing);
  if (fillsFrame(plan)) return { drawing, box: around(bounds, middleOf(bounds), 1, plan) };
  return { drawing, box: around(bounds, massOf(drawing), 20 / 28, plan) };
}

function equallyDark(drawing, plan) {
  const size = { width: COARSE, height: COARSE, channels: 1 };
  const values = areaMeans({ ...drawing, channels: 1 }, whole(drawing), size);
  const ink = { values, width: COARSE, height: COARSE };
  const margin = COARSE / 4;
  const distances = signedDistances(ink, margin);
  // Thinner than a line that can be seen, and thicker than the margin allows, is no use.
  let [low, high] = [Math.min(0, lowest(distances.values) + 1), margin - 1];
  for (let step = 0; step < 10; step++) {
    const middle = (low + high) / 2;
    const isDark = shareOf(thickened(distances, middle), plan) > INK_SHARE;
    [low, high] = isDark ? [low, middle] : [middle, high];
  }
  return thickened(distances, (low + high) / 2);
}

/** The ink when the edges of all strokes move outwards by some pixels. */
function thickened({ values, width, height }, by) {
  const edge = (distance) => Math.min(1, Math.max(0, by - distance + 0.5));
  return { values: values.map(edge), width, height };
}

/** The share of the frame that ink covers whose box fills the frame. */
function shareOf(ink, plan) {
  const bounds = boundsOf(ink);
  const box = around(bounds, middleOf(bounds), 1, plan);
  return ink.values.reduce((sum, value) => sum + value, 0) / (box.width * box.height);
}

/** How far each pixel is from the edge of the ink, below 0 in it; with a margin. */
function signedDistances(ink, margin) {
  const [width, height] = [ink.width + 2 * margin, ink.height + 2 * margin];
  const isInk = new Uint8Array(width * height);
  // A thin line covers no pixel by half.
  const most = ink.values.reduce((a, b) => Math.max(a, b));
  for (let y = 0; y < ink.height; y++) {
    for (let x = 0; x < ink.width; x++) {
      isInk[(y + margin) * width + x + margin] = ink.values[y * ink.width + x] >= most / 2 ? 1 : 0;
    }
  }
  const outside = distancesTo(isInk, 1, width);
  const inside = distancesTo(isInk, 0, width);
  // The edge lies between a pixel of ink and one of paper.
  const values = outside.map((distance, k) => (distance ? distance - 0.5 : 0.5 - inside[k]));
  return { values, width, height };
}

/** To the nearest pixel of a kind, in steps to the eight neighbours: at most 8 % off. */
function distancesTo(kinds, kind, width) {
  const distances = Float32Array.from(kinds, (one) => (one === kind ? 0 : 1e9));
  const near = [[-1, 1], [-width, 1], [-width - 1, Math.SQRT2], [-width + 1, Math.SQRT2]];
  const last = kinds.length - 1;
  for (const way of [1, -1]) {
    for (let step = 0; step <= last; step++) {
      const k = way === 1 ? step : last - step;
      for (const [offset, length] of near) {
        const other = distances[k + way * offset] ?? 1e9;
        distances[k] = Math.min(distances[k], other + length);
      }
    }
  }
  return distances;
}

function boundsOf({ values, width, height }) {
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (values[y * width + x] < LEAST_INK) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = y + 1;
    }
  }
  return { left, right, top, bottom };
}

function middleOf({ left, right, top, bottom }) {
  return [(left + right) / 2, (top + bottom) / 2];
}

function massOf({ values, width }) {
  let [mass, x, y] = [0, 0, 0];
  values.forEach((ink, k) => {
    mass += ink;
    x += ink * ((k % width) + 0.5);
    y += ink * (Math.floor(k / width) + 0.5);
  });
  return [x / mass, y / mass];
}

/** The box around a centre in which bounds take a share of the frame. */
function around({ left, right, top, bottom }, [x, y], share, plan) {
  // Pixels of the drawing for one of the student's.
  const scale = Math.max((right - left) / plan.width, (bottom - top) / plan.height) / share;
  const [width, height] = [scale * plan.width, scale * plan.height];
  return { left: x - width / 2, top: y - height / 2, width, height };
}

function lowest(values) {
  return values.reduce((least, value) => Math.min(least, value), Infinity);
}
