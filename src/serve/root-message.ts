/** What an error comes from, in one line. */
export function rootMessage(error: unknown): string {
  let root = error
  while (root instanceof Error && root.cause !== undefined && root.cause !== null) root = root.cause
  const told = root instanceof Error ? root.message || root.name : String(root)
  return told.split('\n')[0]!
}
