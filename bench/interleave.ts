import { progress } from '#src/core/progress.js'

/** What each of the subjects gave, repetition by repetition. */
export type Runs<Subjects extends Record<string, () => Promise<unknown>>> = {
  [Name in keyof Subjects]: Awaited<ReturnType<Subjects[Name]>>[]
}

/**
 * Runs all subjects in turn, `times` times over, each turn beginning with the next one, so that what changes on the
 * machine meanwhile meets them alike.
 * @param seldom subjects that run in the first third of the turns only, since they take long
 */
export async function interleave<Subjects extends Record<string, () => Promise<unknown>>>(
  label: string,
  times: number,
  subjects: Subjects,
  seldom: readonly string[] = [],
): Promise<Runs<Subjects>> {
  const names: string[] = Object.keys(subjects)
  const all: Record<string, unknown[]> = Object.fromEntries(names.map((name) => [name, []]))
  const often = names.filter((name) => !seldom.includes(name))
  const few = Math.ceil(times / 3)
  const total = few * names.length + (times - few) * often.length
  const bar = progress({ label, total, unit: total === 1 ? 'run' : 'runs' })
  try {
    for (let turn = 0; turn < times; turn++) {
      const now = turn < few ? names : often
      for (let i = 0; i < now.length; i++) {
        const name = now[(turn + i) % now.length]!
        all[name]!.push(await subjects[name]!())
        bar.add(1)
      }
    }
  } finally {
    bar.done()
  }
  return all as Runs<Subjects>
}
