/// <reference types="node" preserve="true" />
/**
 * Rayito: Ray's programming model for TypeScript, and the laboratory that teaches it.
 *
 * Each good alone: `ray` (tasks, actors, objects), `serve` (classes behind HTTP), `loadDataset` (Hugging Face data sets,
 * read lazily) and `pipeline` (image classification that answers what Python's does); and `time`, IPython's `%time`.
 */
export { ERRORS, type ErrorCode, RayitoError } from './core/errors.js'
export type { Source } from './core/source.js'
export * from './datasets/index.js'
export type { HubOptions } from './hub/index.js'
export { time } from './lab/time.js'
export * from './ray/index.js'
export * from './serve/index.js'
export * from './transformers/index.js'
