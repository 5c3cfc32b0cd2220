import { RayitoError } from '../../core/errors.js'
import { ran, type Version } from './version.js'

/** How far the versions' answers agree. */
export interface Agreement {
  sameClasses: boolean
  maxScoreDifference: number
}

/** How far scores of the same picture may differ: a session's threads may add in another order. */
const TOLERANCE = 1e-5

/** Compares the answers of all versions with the first one's, picture by picture. */
export function agreementOf(versions: readonly (Version | undefined)[]): Agreement {
  const [first, ...rest] = ran(versions)
  let sameClasses = true
  let maxScoreDifference = 0
  for (const { result } of rest) {
    sameClasses &&= result.length === first!.result.length
    for (const [i, [label, score]] of result.entries()) {
      const other = first!.result[i]
      if (!other) break
      sameClasses &&= label === other[0]
      maxScoreDifference = Math.max(maxScoreDifference, Math.abs(score - other[1]))
    }
  }
  return { sameClasses, maxScoreDifference }
}

/**
 * Makes sure that all versions answered the same: as many pictures, the same classes in order, scores within 1e-5.
 * Returns a sentence that says so. Throws RESULTS_DIFFER, naming version and picture, otherwise.
 */
export function sameAnswers(versions: readonly (Version | undefined)[]): string {
  const [first, ...rest] = ran(versions)
  for (const other of rest) {
    if (other.result.length !== first!.result.length)
      differ(`${first!.result.length} answers`, other, `${other.result.length}`)
    for (const [i, [label, score]] of other.result.entries()) {
      const [wanted, wantedScore] = first!.result[i]!
      // Written so that a score which is no number differs too.
      const close = Math.abs(score - wantedScore) <= TOLERANCE
      if (label !== wanted || !close)
        differ(
          `picture ${i} to be ${wanted} (${wantedScore}), as version ${first!.name} says`,
          other,
          `${label} (${score})`,
        )
    }
  }
  if (rest.length === 0)
    return `${first ? `Only version ${first.name} was run` : 'No version was run'}: nothing to compare.`
  const { maxScoreDifference } = agreementOf(versions)
  const names = ran(versions).map(({ name }) => name)
  const difference =
    maxScoreDifference === 0 ? 'no score differs' : `scores differ by at most ${maxScoreDifference.toExponential(1)}`
  return `${names.join(', ')}: the same ${first!.result.length} classes in the same order; ${difference}.`
}

function differ(wanted: string, version: Version, got: string): never {
  throw new RayitoError('RESULTS_DIFFER', `Expected ${wanted}, got ${got} from version ${version.name}`)
}
