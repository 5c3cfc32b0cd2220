import type { Image } from '../datasets/image.js'
import { HttpError, type HttpRequest, HttpResponse } from '../serve/index.js'
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
 * the protocol's form, `{ "error": … }`.
 * Source: kserve.github.io, "Open Inference Protocol (V2 Inference Protocol)".
 */
export abstract class InferenceProtocol {
  /** The five best classes, best first. */
  abstract classifyImage(image: Image): Promise<Classification[]>
  /** The picture of a file's bytes. Rejects with an HttpError. */
  protected abstract openPicture(bytes: Uint8Array): Promise<Image>
  /** What the model is called: a part of a path. */
  protected abstract modelName(): Promise<string>

  async describeServer(): Promise<object> {
    return { name: 'rayito', version: '2', extensions: [], models: [await this.modelName()] }
  }

  describeModel({ params }: HttpRequest): Promise<HttpResponse> {
    return answered(async () => ({
      name: await this.#named(params),
      versions: [VERSION],
      platform: 'onnxruntime_onnxv1',
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [-1] }],
      outputs: NAMES.map((name) => ({ name, datatype: OUTPUTS[name], shape: [-1, CLASSES] })),
    }))
  }

  modelReady({ params }: HttpRequest): Promise<HttpResponse> {
    return answered(async () => ({ name: await this.#named(params), ready: true }))
  }

  infer({ params, body, signal }: HttpRequest): Promise<HttpResponse> {
    return answered(async () => {
      const model = await this.#named(params)
      const pictures = picturesOf(body)
      const wanted = outputsOf(body)
      const answers: Classification[][] = []
      for (const bytes of pictures) {
        const image = (await this.openPicture(bytes)).toRgb()
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
    })
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
const ERROR = { type: 'object', properties: { error: { type: 'string' } }, required: ['error'] } as const
const NO_MODEL = { error: ERROR, responses: { 404: 'No such model, or no such version' } }

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
  error: ERROR,
  responses: { 400: 'Not an inference request', 415: 'Not a picture', ...NO_MODEL.responses },
} as const

/** Its routes, for `serve.ingress`; a version may be named in each path. */
export const INFERENCE_PROTOCOL = {
  'GET /v2': { call: 'describeServer', summary: 'Open Inference Protocol: the server and its model' },
  'GET /v2/models/:model': METADATA,
  'GET /v2/models/:model/ready': READY,
  'POST /v2/models/:model/infer': INFER,
  'GET /v2/models/:model/versions/:version': METADATA,
  'GET /v2/models/:model/versions/:version/ready': READY,
  'POST /v2/models/:model/versions/:version/infer': INFER,
} as const

async function answered(work: () => Promise<object>): Promise<HttpResponse> {
  try {
    return new HttpResponse(await work())
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return new HttpResponse({ error: String(error.detail) }, { status: error.status, headers: { ...error.headers } })
  }
}

function picturesOf(body: unknown): Buffer[] {
  // That of the extension for binary tensors, for instance.
  if (body instanceof Uint8Array) throw new HttpError(400, 'Expected a body of JSON, got bytes')
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
    if (typeof text !== 'string' || !BASE64.test(text)) throw refused(`base64 in data[${i}]`, typeof text)
    return Buffer.from(text, 'base64')
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

function refused(expected: string, got: unknown): HttpError {
  // No deeper: a body may be nested so deep that writing it overflows the stack.
  const shallow = (_key: string, value: unknown) => (value !== got && typeof value === 'object' && value ? '…' : value)
  return new HttpError(400, `Expected ${expected}, got ${JSON.stringify(got, shallow)?.slice(0, 100) ?? 'none'}`)
}
