/** The same for workerpool. */
import workerpool from 'workerpool'

workerpool.worker({ nothing() {}, length: (bytes: Uint8Array) => bytes.length })
