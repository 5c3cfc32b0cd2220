import type { Image } from '../datasets/image.js'
import { HttpError, type HttpRequest, HttpResponse } from '../serve/index.js'
import type { Classification } from '../transformers/index.js'

/** Pictures of one request, and classes that are told of each. */
const MOST = 16
const CLASSES = 5
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
      name: await this.#named(params.model!),
      versions: ['1'],
      platform: 'onnxruntime_onnxv1',
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [-1] }],
      outputs: [
        { name: 'label', datatype: 'BYTES', shape: [-1, CLASSES] },
        { name: 'score', datatype: 'FP32', shape: [-1, CLASSES] },
      ],
    }))
  }

  modelReady({ params }: HttpRequest): Promise<HttpResponse> {
    return answered(async () => ({ name: await this.#named(params.model!), ready: true }))
  }

  infer({ params, body, signal }: HttpRequest): Promise<HttpResponse> {
    return answered(async () => {
      const model = await this.#named(params.model!)
      const pictures = picturesOf(body)
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
        model_version: '1',
        ...(typeof id === 'string' ? { id } : {}),
        outputs: [
          { name: 'label', datatype: 'BYTES', shape, data: classes.map(({ label }) => label) },
          { name: 'score', datatype: 'FP32', shape, data: classes.map(({ score }) => score) },
        ] satisfies Tensor[],
      }
    })
  }

  async #named(asked: string): Promise<string> {
    const model = await this.modelName()
    if (asked !== model) throw new HttpError(404, `There is no model ${asked}: this server has ${model}`)
    return model
  }
}

/** Its routes, for `serve.ingress`. */
export const INFERENCE_PROTOCOL = {
  'GET /v2': { call: 'describeServer', summary: 'Open Inference Protocol: the server and its model' },
  'GET /v2/models/:model': { call: 'describeModel', summary: "A model's inputs and outputs" },
  'GET /v2/models/:model/ready': { call: 'modelReady', summary: 'Whether a model answers' },
  'POST /v2/models/:model/infer': {
    call: 'infer',
    summary: 'The five best classes of pictures, given as base64 in a BYTES input',
    responses: { 400: 'Not an inference request', 404: 'No such model', 415: 'Not a picture' },
  },
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
  const { inputs } = (body ?? {}) as { inputs?: unknown }
  if (!Array.isArray(inputs) || inputs.length !== 1) throw refused('one input', inputs)
  const { datatype, data, shape } = inputs[0] as Partial<Tensor>
  if (datatype !== 'BYTES') throw refused('an input of datatype BYTES', datatype)
  if (!Array.isArray(data) || data.length === 0 || data.length > MOST)
    throw refused(`1 to ${MOST} pictures in data`, Array.isArray(data) ? data.length : data)
  if (!Array.isArray(shape) || shape.reduce((product, size) => product * size, 1) !== data.length)
    throw refused(`the shape of ${data.length} pictures`, shape)
  return data.map((text, i) => {
    if (typeof text !== 'string' || !BASE64.test(text)) throw refused(`base64 in data[${i}]`, typeof text)
    return Buffer.from(text, 'base64')
  })
}

function refused(expected: string, got: unknown): HttpError {
  return new HttpError(400, `Expected ${expected}, got ${JSON.stringify(got)?.slice(0, 100) ?? 'none'}`)
}
