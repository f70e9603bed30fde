/** The three statistics the bench uses. Medians, since one disturbed round must not move a figure. */

/** @param {number[]} values */
export function median(values) {
  return percentile(values, 50);
}

/**
 * Linear interpolation between the closest ranks; NaN of nothing.
 * @param {number[]} values
 * @param {number} percent 0 to 100
 */
export function percentile(values, percent) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(rank);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (rank - below);
}

/** Half the distance between the extremes, in percent of the median: how far to trust it. */
export function spreadPercent(values) {
  if (values.length < 2) return 0;
  return ((Math.max(...values) - Math.min(...values)) / 2 / median(values)) * 100;
}
