/** The value in the middle; of an even number the mean of the two in the middle. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * The interval that holds the true median in at least 19 of 20 cases, by the order of the samples alone (the sign test's,
 * whatever their distribution); of fewer than six samples all of it.
 */
export function interval(samples: readonly number[]): [low: number, high: number] {
  const sorted = [...samples].sort((a, b) => a - b)
  const n = sorted.length
  // how many samples may be left out at each end: the largest k with P(Binomial(n, 1/2) < k) <= 1/40
  // in logarithms, since 0.5 ** n is 0 for thousands of samples
  let term = n * Math.log(0.5)
  let tail = Math.exp(term)
  let k = 0
  while (tail <= 1 / 40) {
    term += Math.log((n - k) / (k + 1))
    tail += Math.exp(term)
    k++
  }
  const out = Math.max(k - 1, 0)
  return [sorted[out]!, sorted[n - 1 - out]!]
}

/** Half the width of that interval. */
export function spread(samples: readonly number[]): number {
  const [low, high] = interval(samples)
  return (high - low) / 2
}

/** `ours` by `theirs`, each with the one of the same repetition; theirs may have had fewer. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return theirs.map((value, i) => ours[i]! / value)
}
