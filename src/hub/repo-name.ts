/** Whether a repository may be called so: a name, or owner/name. */
export const isRepoName = (id: unknown): id is string =>
  typeof id === 'string' && /^[\w.-]+(\/[\w.-]+)?$/.test(id) && !/\.\.|--/.test(id)
