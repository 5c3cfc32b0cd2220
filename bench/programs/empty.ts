/** A process that does nothing: what Node itself takes. */
import { report } from '../report.js'

report(async () => null)
