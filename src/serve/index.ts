/**
 * Ray Serve's model: deployments of classes, each with replicas that are actors, behind HTTP and handles.
 * @see https://docs.ray.io/en/latest/serve/index.html
 */
import * as members from './serve.js'

export { HttpRequest, type UploadedFile } from './http-request.js'
export { HttpError, HttpResponse, missingField } from './http-response.js'
export type * from './types.js'

// Of the module's type, so that an editor shows with each member what is written there.
/** Ray Serve: deployments of classes, whose replicas answer HTTP and each other. */
export const serve: typeof members = { ...members }
