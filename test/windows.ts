const onWindows = process.platform === 'win32'

/** What Windows lacks, for the option `skip`. */
export const noLinks = onWindows && 'Windows makes symbolic links for administrators and developers alone'
export const noSignals = onWindows && 'Windows has no signals to send'
export const noLimits = onWindows && 'Windows has no ulimit'

/** The signal of a process that killed itself: there it has an exit code alone. */
export const OWN_KILL = onWindows ? null : 'SIGKILL'
