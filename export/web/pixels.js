// From what a person drew or chose to the numbers that a student takes.
import { areaMeans, whole } from "./areas.js";
import { fitted } from "./ink.js";

/**
 * How a student takes pictures, or null if it takes something else.
 *
 * `low` and `high` are what black and white become; then, unless the file does it
 * itself, the training's normalisation (value - mean) / std follows.
 */
export function picturePlan(input, manifest) {
  const [batch, height, width, channels = 1] = input.shape;
  const isSquareMatrix = input.shape.length === 3 && height === width && height > 7;
  const isPicture = input.shape.length === 4 && [1, 3].includes(channels);
  if (input.dtype !== "float32" || batch !== 1 || !(isPicture || isSquareMatrix)) {
    return null;
  }
  const { normalization, normalization_folded: isFolded } = manifest ?? {};
  const toDo = normalization && !isFolded ? normalization : null;
  const [low, high] = pixelRange(manifest?.input_range, toDo);
  const isRangeKnown = !!(manifest?.input_range || toDo);
  return { height, width, channels, low, high, normalization: toDo, isRangeKnown };
}

function pixelRange(range, toDo) {
  if (!toDo) return range ?? [0, 1];
  if (!range) return Math.max(...toDo.std) > 1 ? [0, 255] : [0, 1];
  // The range is of normalised values: find the raw one that all channels share.
  const ends = range.map((end) =>
    Array.from({ length: Math.max(toDo.std.length, toDo.mean.length) }, (_, channel) =>
      end * ofChannel(toDo.std, channel) + ofChannel(toDo.mean, channel),
    ),
  );
  const lows = ends[0].map((end, channel) => Math.min(end, ends[1][channel]));
  const highs = ends[0].map((end, channel) => Math.max(end, ends[1][channel]));
  const [low, high] = [Math.max(...lows), Math.min(...highs)];
  return low < high ? [low, high] : [0, 1];
}

/** The student's input for pixels in [0, 1], a row after the other. */
export function inputValues(pixels, plan) {
  const { channels, low, high, normalization } = plan;
  return Float32Array.from(pixels, (pixel, place) => {
    const raw = low + pixel * (high - low);
    if (!normalization) return raw;
    const channel = place % channels;
    const mean = ofChannel(normalization.mean, channel);
    return (raw - mean) / ofChannel(normalization.std, channel);
  });
}

function ofChannel(numbers, channel) {
  return numbers[numbers.length === 1 ? 0 : channel];
}

/**
 * A picture in the size of the student's input, stretched as `keras_kd.data.load` does.
 *
 * @param {ImageData} image
 * @param {boolean} isInverted Whether light becomes dark.
 * @returns {Float32Array} Pixels in [0, 1], grey or red, green, blue.
 */
export function picturePixels(image, plan, isInverted) {
  const { data, width, height } = image;
  const { channels } = plan;
  const values = new Float32Array(width * height * channels);
  for (let k = 0; k < width * height; k++) {
    const rgb = [data[4 * k] / 255, data[4 * k + 1] / 255, data[4 * k + 2] / 255];
    if (channels === 3) values.set(rgb, 3 * k);
    else values[k] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  }
  const pixels = areaMeans({ values, width, height, channels }, whole(image), plan);
  return isInverted ? pixels.map((pixel) => 1 - pixel) : pixels;
}

/**
 * A drawing in the size of the student's input: ink is 1, paper 0.
 *
 * @param {{values: Float32Array, width: number, height: number}} ink
 * @param {boolean} isFitted Whether to place it as the usual data sets of digits do.
 */
export function drawingPixels(ink, plan, isFitted) {
  const { drawing, box } = isFitted ? fitted(ink, plan) : { drawing: ink, box: whole(ink) };
  return areaMeans({ ...drawing, channels: 1 }, box, { ...plan, channels: 1 });
}
