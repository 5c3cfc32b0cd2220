import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wrap } from '#src/cli/report.js'

test('a line of the report ends between words, not between a number and its unit', () => {
  assert.deepEqual(wrap('in B 12 % loading, 0.53 s', 8), ['in B', '12 %', 'loading,', '0.53 s'])
})
