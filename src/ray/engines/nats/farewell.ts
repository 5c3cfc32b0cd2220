/** Milliseconds that taking leave may take: a server that is away hears none. */
export const FAREWELL = 3_000

/** Resolves when leave is taken, or nobody seems to hear it. */
export async function farewell(...taken: Promise<unknown>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, FAREWELL)
  })
  await Promise.race([Promise.all(taken), late])
  clearTimeout(timer)
}
