/** An application that begins its session by itself, as one does who wants other options. */
import { ray } from '#src/ray/index.js'
import { serve } from '#src/serve/index.js'
import { Greeter } from './classes.js'

ray.init({ numCpus: 3, timeline: 100 })
export const greeter = serve.deployment(Greeter).bind()
