/** Why there are no symbolic links to files here, for the option `skip`. */
export const noLinks =
  process.platform === 'win32' && 'Windows makes symbolic links for administrators and developers alone'
