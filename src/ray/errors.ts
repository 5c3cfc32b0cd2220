/** The errors of `ray`, each with its code in the one table. */
export * from './errors/classes.js'
export { decodeError, encodeError } from './errors/codec.js'
