// Images in another size.

/** All of an image, as a box of it. */
export function whole({ width, height }) {
  return { left: 0, top: 0, width, height };
}

/**
 * The mean of an image under each cell of a grid that is laid over a box of it.
 *
 * What lies outside the image counts as 0.
 */
export function areaMeans(image, box, { height: rows, width: columns, channels }) {
  const means = new Float32Array(rows * columns * channels);
  const overRows = overlaps(box.top, box.height, rows, image.height);
  const overColumns = overlaps(box.left, box.width, columns, image.width);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (const [y, weightY] of overRows[row]) {
        for (const [x, weightX] of overColumns[column]) {
          const from = (y * image.width + x) * channels;
          const to = (row * columns + column) * channels;
          for (let c = 0; c < channels; c++) {
            means[to + c] += weightY * weightX * image.values[from + c];
          }
        }
      }
    }
  }
  return means;
}

/** For each of `cells` on [start, start + length): the pixels in it, with their share. */
function overlaps(start, length, cells, pixels) {
  const step = length / cells;
  return Array.from({ length: cells }, (_, cell) => {
    const [from, to] = [start + cell * step, start + (cell + 1) * step];
    const inside = [];
    for (let p = Math.max(0, Math.floor(from)); p < Math.min(pixels, to); p++) {
      const share = (Math.min(to, p + 1) - Math.max(from, p)) / step;
      if (share > 0) inside.push([p, share]);
    }
    return inside;
  });
}
