import type { Image } from '../datasets/image/image.js'
import { HttpError, type HttpRequest } from '../serve/index.js'
import type { Classification } from '../transformers/index.js'

/** Dimensions that nested data may have. */
const DEEPEST = 8
/** Pictures of one request, and classes that are told of each. */
const MOST = 16
const CLASSES = 5
/** The only one. */
const VERSION = '1'
/** Names of the outputs, with their datatypes. */
const OUTPUTS = { label: 'BYTES', score: 'FP32' } as const
const NAMES = Object.keys(OUTPUTS) as (keyof typeof OUTPUTS)[]
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

interface Tensor {
  name: string
  shape: number[]
  datatype: string
  data: unknown[]
}

/**
 * The Open Inference Protocol over REST (KServe's V2, which Triton's clients speak too) for whatever classifies pictures:
 * a picture goes in as a BYTES element, base64 of its file, and its five best classes come out, best first. Errors have
 * the protocol's form, `{ "error": … }`, by `errorKey` of its routes.
 * Source: kserve.github.io, "Open Inference Protocol (V2 Inference Protocol)".
 */
export abstract class InferenceProtocol {
  #told = 0

  /** The five best classes, best first. */
  abstract classifyImage(image: Image): Promise<Classification[]>
  /** The picture of a file's bytes, in RGB. Rejects with an HttpError. */
  protected abstract openPicture(bytes: Uint8Array): Promise<Image>
  /** What the model is called: a part of a path. */
  protected abstract modelName(): Promise<string>

  async describeServer(): Promise<object> {
    return { name: 'rayito', version: '2', extensions: [], models: [await this.modelName()] }
  }

  async describeModel({ params }: Pick<HttpRequest, 'params'>): Promise<object> {
    const name = await this.#named(params)
    const classes = await this.#classes()
    return {
      name,
      versions: [VERSION],
      platform: 'onnxruntime_onnxv1',
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [-1] }],
      outputs: NAMES.map((output) => ({ name: output, datatype: OUTPUTS[output], shape: [-1, classes] })),
    }
  }

  async modelReady({ params }: HttpRequest): Promise<object> {
    return { name: await this.#named(params), ready: true }
  }

  async infer({ params, body, signal }: HttpRequest): Promise<object> {
    const model = await this.#named(params)
    const pictures = picturesOf(body)
    const wanted = outputsOf(body)
    const answers: Classification[][] = []
    for (const bytes of pictures) {
      const image = await this.openPicture(bytes)
      signal.throwIfAborted()
      answers.push((await this.classifyImage(image)).slice(0, CLASSES))
    }
    const { id } = body as { id?: unknown }
    const shape = [answers.length, answers[0]!.length]
    const classes = answers.flat()
    return {
      model_name: model,
      model_version: VERSION,
      ...(typeof id === 'string' ? { id } : {}),
      outputs: wanted.map((name): Tensor => {
        const datatype = OUTPUTS[name]
        return { name, datatype, shape, data: classes.map((one) => one[name]) }
      }),
    }
  }

  /** Classes that are told of a picture: all of a model that has fewer. */
  async #classes(): Promise<number> {
    if (this.#told) return this.#told
    const image = await this.openPicture(Buffer.from(PIXEL, 'base64'))
    this.#told = Math.min(CLASSES, (await this.classifyImage(image)).length)
    return this.#told
  }

  async #named({ model: asked, version = VERSION }: Readonly<Record<string, string>>): Promise<string> {
    const model = await this.modelName()
    if (asked !== model) throw new HttpError(404, `There is no model ${asked}: this server has ${model}`)
    if (version !== VERSION)
      throw new HttpError(404, `There is no version ${version} of ${model}: this server has ${VERSION}`)
    return model
  }
}

/** A picture of one pixel. */
const PIXEL = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'
const TENSOR = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    datatype: { type: 'string' },
    shape: { type: 'array', items: { type: 'integer' } },
    data: { type: 'array' },
  },
  required: ['name', 'datatype', 'shape', 'data'],
} as const
/** The form of its errors. */
const FORM = { errorKey: 'error' } as const
const NO_MODEL = { ...FORM, responses: { 404: 'No such model, or no such version' } }

const METADATA = { call: 'describeModel', summary: "A model's inputs and outputs", ...NO_MODEL } as const
const READY = { call: 'modelReady', summary: 'Whether a model answers', ...NO_MODEL } as const
const INFER = {
  call: 'infer',
  summary: 'The five best classes of pictures, given as base64 in a BYTES input',
  body: {
    type: 'object',
    properties: {
      id: { type: 'string' },
      inputs: { type: 'array', items: TENSOR, minItems: 1, maxItems: 1 },
      outputs: { type: 'array', items: { type: 'object', properties: { name: { enum: NAMES } }, required: ['name'] } },
    },
    required: ['inputs'],
    examples: [{ inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], data: [PIXEL] }] }],
  },
  answer: {
    type: 'object',
    properties: {
      model_name: { type: 'string' },
      model_version: { type: 'string' },
      id: { type: 'string' },
      outputs: { type: 'array', items: TENSOR },
    },
    required: ['model_name', 'outputs'],
  },
  ...FORM,
  // Base64 of the largest picture that a form may hold, and what stands around it.
  maxBytes: 14 << 20,
  responses: {
    400: 'Not an inference request, or a truncated picture',
    ...NO_MODEL.responses,
    408: 'It took too long',
    413: 'The body has more than 14 MB, or a picture too many pixels',
    415: 'Not a picture',
    503: 'Too many requests wait; Retry-After says when to come again',
  },
} as const

/** Its routes, for `serve.ingress`; a version may be named in each path. */
export const INFERENCE_PROTOCOL = {
  'GET /v2': { call: 'describeServer', summary: 'Open Inference Protocol: the server and its model', ...FORM },
  'GET /v2/models/:model': METADATA,
  'GET /v2/models/:model/ready': READY,
  'POST /v2/models/:model/infer': INFER,
  'GET /v2/models/:model/versions/:version': METADATA,
  'GET /v2/models/:model/versions/:version/ready': READY,
  'POST /v2/models/:model/versions/:version/infer': INFER,
} as const

function picturesOf(body: unknown): Buffer[] {
  // That of the extension for binary tensors, for instance; or what `curl -d` sends without a header.
  const other = body instanceof Uint8Array ? 'bytes' : body === undefined ? 'none or a form' : typeof body
  if (other !== 'object') throw new HttpError(400, `Expected a body of content-type application/json, got ${other}`)
  const { inputs } = (body ?? {}) as { inputs?: unknown }
  if (!Array.isArray(inputs) || inputs.length !== 1) throw refused('one input', inputs)
  const { datatype, data: given, shape } = (inputs[0] ?? {}) as Partial<Tensor>
  if (datatype !== 'BYTES') throw refused('an input of datatype BYTES', datatype)
  // Nested as the shape is, or flat: both are allowed.
  const data: unknown = Array.isArray(given) ? given.flat(DEEPEST) : given
  if (!Array.isArray(data) || data.length === 0 || data.length > MOST)
    throw refused(`1 to ${MOST} pictures in data`, Array.isArray(data) ? data.length : data)
  const counts = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size > 0)
  if (!counts || shape.reduce((product, size) => product * size, 1) !== data.length)
    throw refused(`the shape of ${data.length} pictures`, shape)
  return data.map((text, i) => {
    if (typeof text === 'string' && BASE64.test(text)) return Buffer.from(text, 'base64')
    // Such as the line ends that `base64` writes: nobody finds them in a picture.
    const wrong = typeof text === 'string' ? /[^A-Za-z0-9+/]/u.exec(text) : null
    throw refused(
      `a picture's file in base64 in data[${i}]`,
      wrong?.[0] ?? text,
      wrong ? ` as its character ${wrong.index + 1}` : '',
    )
  })
}

/** Names of the outputs that are asked for: all, where none is named. */
function outputsOf(body: unknown): typeof NAMES {
  const { outputs = [] } = body as { outputs?: unknown }
  const names = Array.isArray(outputs) ? outputs.map((output) => (output as Partial<Tensor> | null)?.name) : [outputs]
  const known = NAMES.filter((name) => names.includes(name))
  if (known.length < new Set(names).size) throw refused(`outputs among ${NAMES.join(' and ')}`, outputs)
  return known.length === 0 ? NAMES : known
}

function refused(expected: string, got: unknown, where = ''): HttpError {
  // No deeper: a body may be nested so deep that writing it overflows the stack.
  const shallow = (_key: string, value: unknown) => (value !== got && typeof value === 'object' && value ? '…' : value)
  const shown = JSON.stringify(got, shallow)?.slice(0, 100) ?? 'none'
  return new HttpError(400, `Expected ${expected}, got ${shown}${where}`)
}
