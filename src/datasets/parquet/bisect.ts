/** The last place whose start is at most `at`; of several with the same start the last. The starts ascend, the first is at most `at`. */
export function lastAtMost<T>(places: readonly T[], at: number, startOf: (place: T) => number): number {
  let low = 0
  let high = places.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (startOf(places[middle]!) <= at) low = middle
    else high = middle - 1
  }
  return low
}
