import { expected, RayitoError } from '../../core/errors.js'
import { plural } from '../../core/format.js'
import type { Generator } from './generator.js'

/**
 * Places of rows for `train` and `test`, in each as large a part of every class as of all rows, and the rows that Python draws.
 * @param labels of each row its class's number
 * @param column what the labels are called, for errors
 */
export function stratifiedPlaces(
  labels: readonly unknown[],
  { train, test }: { train: number; test: number },
  generator: Generator,
  column: string,
): { train: Uint32Array; test: Uint32Array } {
  const placesOf = new Map<number, number[]>()
  labels.forEach((label, place) => {
    if (typeof label !== 'number') expected(column, 'a class in every row', label)
    const places = placesOf.get(label)
    if (places) places.push(place)
    else placesOf.set(label, [place])
  })
  const classes = [...placesOf].sort(([a], [b]) => a - b).map(([, places]) => places)
  const counts = classes.map((places) => places.length)
  if (counts.some((count) => count < 2) || Math.min(train, test) < classes.length)
    throw new RayitoError(
      'INVALID_ARGUMENT',
      `Expected at least two rows of each class of \`${column}\`, and sizes of at least the ${classes.length} classes, got ${plural(Math.min(...counts), 'row')}, and sizes of ${train} and ${test}`,
    )
  const ofTrain = shares(counts, train, generator)
  const ofTest = shares(
    counts.map((count, i) => count - ofTrain[i]!),
    test,
    generator,
  )
  const drawn = classes.map((places, i) => {
    const order = Array.from(generator.permutation(places.length), (at) => places[at]!)
    const end = ofTrain[i]!
    return { train: order.slice(0, end), test: order.slice(end, end + ofTest[i]!) }
  })
  const mixed = (places: number[]) => generator.permutation(places.length).map((at) => places[at]!)
  return { train: mixed(drawn.flatMap((some) => some.train)), test: mixed(drawn.flatMap((some) => some.test)) }
}

/** How many of each class, so that there are `size`: the whole part of its share; what is missing goes to the largest rests, by lot where they are alike. */
function shares(counts: readonly number[], size: number, generator: Generator): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0)
  const exact = counts.map((count) => (size * count) / all)
  const whole = exact.map(Math.floor)
  const rests = exact.map((share, i) => share - whole[i]!)
  let lacking = size - whole.reduce((sum, share) => sum + share, 0)
  for (const rest of [...new Set(rests)].sort((a, b) => b - a)) {
    if (lacking === 0) break
    const alike = [...rests.keys()].filter((i) => rests[i] === rest)
    const lucky = generator.choose(alike.length, Math.min(alike.length, lacking))
    for (const i of lucky) whole[alike[i]!]!++
    lacking -= lucky.length
  }
  return whole
}
