/** The environment of a process whose messages are read: `node --watch` has all that Node forks tell it what they import, over the same channel. */
export function childEnv(more: Readonly<NodeJS.ProcessEnv> | null = null): NodeJS.ProcessEnv {
  return { ...process.env, ...more, WATCH_REPORT_DEPENDENCIES: undefined }
}
