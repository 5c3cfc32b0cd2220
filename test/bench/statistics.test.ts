import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interval, median, ratios, spread } from '../../bench/statistics.js'

test('the median is the value in the middle, whatever the order', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([9, 1, 5, 7]), 6)
  assert.equal(median([4]), 4)
})

test('of few samples the interval is all of them', () => {
  assert.deepEqual(interval([3]), [3, 3])
  assert.deepEqual(interval([5, 1, 4, 2, 3]), [1, 5])
})

test('of many samples the interval leaves out as many at each end as the sign test allows', () => {
  const counting = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
  // tables of the sign test: the ranks of the bounds at 95 %
  assert.deepEqual(interval(counting(6)), [1, 6])
  assert.deepEqual(interval(counting(9)), [2, 8])
  assert.deepEqual(interval(counting(12)), [3, 10])
  assert.deepEqual(interval(counting(15)), [4, 12])
  assert.deepEqual(interval(counting(20)), [6, 15])
  assert.deepEqual(interval(counting(31)), [10, 22])
})

test('of thousands of samples there is an interval, too', () => {
  const [low, high] = interval(Array.from({ length: 2_000 }, (_, i) => i + 1))
  // the normal approximation's bounds: 1000 ± 0.98 √2000
  assert.ok(Math.abs(low - 956) <= 2 && Math.abs(high - 1_045) <= 2, `${low} ${high}`)
})

test('an outlier moves neither the median nor the interval of many samples', () => {
  const samples = [10, 11, 10, 12, 11, 10, 11, 12, 11, 500]
  assert.equal(median(samples), 11)
  assert.equal(spread(samples), 1)
})

test('a ratio is of the same repetition: a slow machine meets both', () => {
  assert.deepEqual(ratios([2, 20, 4], [1, 10, 2]), [2, 2, 2])
  assert.deepEqual(ratios([2, 20, 4], [1]), [2])
})
