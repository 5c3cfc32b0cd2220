/**
 * Files of Hugging Face repositories, once: in the cache that Python's huggingface_hub shares.
 * @module
 */
export { download } from './download.js'
export { hubFile } from './hub-file.js'
export { listFiles } from './list-files.js'
export { inReach } from './reach.js'
export { isRepoName } from './repo-name.js'
export type { HubOptions, Repo, RepoFile, Snapshot } from './types.js'
