// What many times come to.

/** What is told of times in milliseconds, in the fields of export/README.md. */
export function summary(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return {
    runs: times.length,
    min_ms: sorted[0],
    p50_ms: percentile(sorted, 0.5),
    p90_ms: percentile(sorted, 0.9),
    p99_ms: percentile(sorted, 0.99),
    times_ms: times,
  };
}

/** The value below which a share of the sorted ones lies, interpolated as NumPy does. */
function percentile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}
