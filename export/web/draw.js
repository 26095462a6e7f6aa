// A canvas to draw on with a pen, a finger or a mouse.

// Of the canvas's shorter side: about what digits written with a pen have.
const PEN_SHARE = 0.085;

/**
 * Makes a canvas a board to draw on.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {() => void} onChange Called after each stroke's piece.
 */
export function drawingBoard(canvas, onChange) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let last = null;

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ];
  }

  function strokeTo(event) {
    const point = at(event);
    context.lineWidth = PEN_SHARE * Math.min(canvas.width, canvas.height);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...point);
    context.stroke();
    last = point;
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    strokeTo(event);
    onChange();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    // Between two frames a fast pen has been at many places.
    const places = event.getCoalescedEvents?.() ?? [];
    for (const place of places.length ? places : [event]) strokeTo(place);
    onChange();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => (last = null));
  }

  return {
    clear: () => context.clearRect(0, 0, canvas.width, canvas.height),

    /** The ink, 0 to 1, or null on an empty board. */
    ink() {
      const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
      const values = Float32Array.from({ length: width * height }, (_, k) => data[4 * k + 3] / 255);
      return values.some((value) => value > 0.1) ? { values, width, height } : null;
    },
  };
}
