/**
 * The process of a notebook kernel: tslab's own program, which also ends when the runner that started it is gone (its
 * end of the pipe on stdin closes), so that no kernel is left behind, however the runner ends.
 */
process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume()

// Ten frames often end inside a library: the cell's own line, which the runner tells, is the last one.
Error.stackTraceLimit = 40

await import('./tslab.js')

export {}
