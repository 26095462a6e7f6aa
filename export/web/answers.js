// From what a student's output holds to classes a person can read.

/**
 * The classes with their probabilities, in the student's order.
 *
 * @param {ArrayLike<number>} output
 * @param {?object} manifest
 * @returns {{label: string, value: number, text: string}[]} `value` in [0, 1], the
 *     length of a bar.
 */
export function classes(output, manifest) {
  const { scale, zero_point: zero } = manifest?.output ?? {};
  const values = Array.from(output, (stored) => (scale ? (stored - zero) * scale : stored));
  const kind = manifest?.output_kind ?? "unknown";
  const labels = manifest?.labels ?? [];
  if (values.length === 1 && kind !== "unknown") {
    const yes = kind === "logits" ? sigmoid(values[0]) : values[0];
    return [
      shown(labels[0] ?? "no", 1 - yes),
      shown(labels[1] ?? "yes", yes),
    ];
  }
  if (kind === "unknown") {
    const largest = Math.max(...values.map(Math.abs)) || 1;
    return values.map((value, k) => ({
      label: labels[k] ?? `class ${k}`,
      value: Math.max(0, value / largest),
      text: value.toPrecision(3),
    }));
  }
  const probabilities = kind === "logits" ? softmax(values) : values;
  return probabilities.map((value, k) => shown(labels[k] ?? `class ${k}`, value));
}

function shown(label, value) {
  return { label, value, text: `${(value * 100).toFixed(1)} %` };
}

function sigmoid(logit) {
  return 1 / (1 + Math.exp(-logit));
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
