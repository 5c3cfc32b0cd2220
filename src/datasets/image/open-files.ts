import pLimit from 'p-limit'

/** Files that a thread has open at once at most: the system allows as few as 256 to a process, and more are read no sooner. */
const MOST = 32

/** Does what opens a file and closes it again, once fewer than {@link MOST} are open; in the order in which it is asked for. */
export const withOpenFile = pLimit(MOST)
