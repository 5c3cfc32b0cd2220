/** A worker thread's first file: workerpool starts it and calls `serve`, which never ends. */
import workerpool from 'workerpool'
import { serve } from './loop.js'

workerpool.worker({ serve })
