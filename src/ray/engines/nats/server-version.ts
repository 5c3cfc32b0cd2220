/** Several entries of a bucket come at one request, and what stands for those taken out goes by and by, from then on. */
export const OLDEST = '2.11'

/** Whether a nats-server of that version will do. */
export function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [wantMajor, wantMinor] = OLDEST.split('.').map(Number) as [number, number]
  return major > wantMajor || (major === wantMajor && minor >= wantMinor)
}
