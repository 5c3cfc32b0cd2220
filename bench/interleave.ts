import { progress } from '#src/core/progress.js'

/** What each of the subjects gave, repetition by repetition. */
export type Runs<Subjects extends Record<string, () => Promise<unknown>>> = {
  [Name in keyof Subjects]: Awaited<ReturnType<Subjects[Name]>>[]
}

/**
 * Runs all subjects in turn, `times` times over, each turn beginning with the next one, so that what changes on the
 * machine meanwhile meets them alike.
 */
export async function interleave<Subjects extends Record<string, () => Promise<unknown>>>(
  label: string,
  times: number,
  subjects: Subjects,
): Promise<Runs<Subjects>> {
  const names: string[] = Object.keys(subjects)
  const all: Record<string, unknown[]> = Object.fromEntries(names.map((name) => [name, []]))
  const bar = progress({ label, total: times * names.length, unit: 'runs' })
  try {
    for (let turn = 0; turn < times; turn++) {
      for (let i = 0; i < names.length; i++) {
        const name = names[(turn + i) % names.length]!
        all[name]!.push(await subjects[name]!())
        bar.add(1)
      }
    }
  } finally {
    bar.done()
  }
  return all as Runs<Subjects>
}
