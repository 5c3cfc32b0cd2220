/**
 * Exercise 2: tells what a picture shows, and what Wikipedia says of it.
 *
 *     npx rayito serve run ray-server:info
 */
import { basename, isAbsolute } from 'node:path'
import { RayitoError } from './core/errors.js'
import { Image } from './datasets/image/image.js'
import type { Lookup, Wikipedia } from './encyclopaedia/index.js'
import { INFERENCE_PROTOCOL, InferenceProtocol } from './ray-server/inference-protocol.js'
import { page, pagePolicy } from './ray-server/page.js'
import { type Answer, type DetailedAnswer, WHAT_IS } from './ray-server/what-is.js'
import { type Deployment, type DeploymentHandle, HttpError, type HttpRequest, serve } from './serve/index.js'
import { type Classification, type Dtype, type ImageClassificationPipeline, pipeline } from './transformers/index.js'

/** A class with a smaller score is none. */
const SURE = 0.8
/** Milliseconds that a replica is ready before it loads what it needs for large pictures: the others are ready then, too. */
const SETTLED = 1_000
/** A picture of one pixel, of a kind that the decoder of large pictures decodes. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
/** A small file can unfold into a gigantic picture: 150 MB are enough. */
const MAX_PIXELS = 50_000_000

let wikipedia: Promise<Wikipedia> | undefined

/** Only in the replica that asks it, and when it is asked first: the server is ready without. */
function encyclopaedia(): Promise<Wikipedia> {
  wikipedia ??= import('./encyclopaedia/index.js').then(({ Wikipedia }) => new Wikipedia())
  return wikipedia
}

/**
 * The first characters of the first page that a search in Wikipedia finds; 'No pages found' when it finds none; a sentence
 * that says so when Wikipedia cannot be reached.
 * @param chars code points
 */
export async function fetchWikipediaPage(searchTerm: string, chars = 500): Promise<string> {
  return (await (await encyclopaedia()).lookup(searchTerm, chars)).text
}

/** What the deployment WikipediaSearch does. */
export interface WikipediaSearcher {
  /**
   * @param label the class's whole label, which tells the senses of a word apart
   * @param classes labels of the other classes: a crane among herons is a bird
   */
  call(term: string, label?: string, classes?: readonly string[]): Promise<Lookup>
}

const took = serve.histogram('rayito_wikipedia_seconds', 'Time a look-up in Wikipedia took')
const hits = serve.counter('rayito_wikipedia_cache_hits_total', 'Look-ups answered from the cache')
const misses = serve.counter('rayito_wikipedia_cache_misses_total', 'Look-ups that Wikipedia was asked for')
const unreachable = serve.counter('rayito_wikipedia_unreachable_total', 'Look-ups that Wikipedia did not answer')
const decoding = serve.histogram('rayito_decode_seconds', 'Time the decoding of a picture took')
const inferring = serve.histogram('rayito_inference_seconds', 'Time the classification of a picture took')

/** What failed is not measured: how long it took says nothing. */
async function measured<T>(times: { observe(seconds: number): void }, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const done = await work()
  times.observe((performance.now() - began) / 1000)
  return done
}

export const WikipediaSearch: Deployment<[], WikipediaSearcher> = serve.deployment(
  class WikipediaSearch implements WikipediaSearcher {
    /** An address that is none is told at the start. */
    async checkHealth(): Promise<void> {
      if (process.env.RAYITO_WIKIPEDIA) await encyclopaedia()
    }

    async call(term: string, label = term, classes: readonly string[] = []): Promise<Lookup> {
      const began = performance.now()
      const found = await (await encyclopaedia()).lookup(term, 500, { label, classes })
      took.observe((performance.now() - began) / 1000)
      if (found.cached) hits.inc()
      if (found.asked) misses.inc()
      if (!found.reachable) unreachable.inc()
      return found
    }
  },
  // It waits for Wikipedia, not for a processor.
  { maxOngoingRequests: 100 },
)

/** What the deployment ImageClassifier does. */
export interface Classifier {
  classify(request: HttpRequest): Promise<Answer | DetailedAnswer>
}

export const ImageClassifier: Deployment<[wikipediaSearch: DeploymentHandle<WikipediaSearcher>], Classifier> =
  serve.deployment(
    serve.ingress(
      class ImageClassifier extends InferenceProtocol implements Classifier {
        readonly #classifier: Promise<ImageClassificationPipeline>
        readonly #wiki: DeploymentHandle<WikipediaSearcher>
        #warm = false

        constructor(wikipediaSearch: DeploymentHandle<WikipediaSearcher>) {
          super()
          const { RAYITO_MODEL, RAYITO_DTYPE } = process.env
          this.#classifier = pipeline('image-classification', RAYITO_MODEL || undefined, {
            dtype: (RAYITO_DTYPE || undefined) as Dtype | undefined,
          })
          this.#classifier.catch(() => {}) // told by checkHealth
          this.#wiki = wikipediaSearch
        }

        async checkHealth(): Promise<void> {
          await this.#classifier
          if (this.#warm) return
          this.#warm = true
          // Otherwise the first large picture waits for it.
          setTimeout(() => openPicture(PIXEL).catch(() => {}), SETTLED).unref()
        }

        /** The five best classes, best first. */
        override async classifyImage(image: Image): Promise<Classification[]> {
          const classifier = await this.#classifier
          return measured(inferring, () => classifier(image, { topK: 5 })).catch((error) => {
            throw (error as RayitoError).code === 'IMAGE_TOO_LARGE' ? new HttpError(413, TOO_NARROW) : error
          })
        }

        protected override async openPicture(bytes: Uint8Array): Promise<Image> {
          return measured(decoding, async () => (await openPicture(bytes)).toRgb())
        }

        protected override async modelName(): Promise<string> {
          return basename((await this.#classifier).model)
        }

        async classify({ files, query, signal }: HttpRequest): Promise<Answer | DetailedAnswer> {
          const began = performance.now()
          const image = await this.openPicture(files.file!.bytes)
          const decoded = performance.now()
          signal.throwIfAborted()
          const classes = await this.classifyImage(image)
          const classified = performance.now()

          const searchItem = searchTerm(classes)
          const [best, ...others] = classes.map(({ label }) => label)
          const found = searchItem === null ? null : await this.#wiki.remote(searchItem, best, others)
          const answer = found === null ? { prediction: 'unknown' } : answerOf(searchItem!, found)
          if (query.details !== '1') return answer
          const ended = performance.now()
          const milliseconds = {
            decode: tenths(decoded - began),
            inference: tenths(classified - decoded),
            wikipedia: tenths(ended - classified),
            total: tenths(ended - began),
          }
          const { model } = await this.#classifier
          return { ...answer, classes, page: found?.page ?? null, model: publicName(model), milliseconds }
        }
      },
      {
        'GET /': { html: (root) => page({ root }), contentSecurityPolicy: pagePolicy },
        'POST /whatis': WHAT_IS,
        'POST /what-is': WHAT_IS,
        ...INFERENCE_PROTOCOL,
      },
    ),
    { numReplicas: 'auto', maxQueuedRequests: 128 },
  )

/** A model's repository; of one in a folder the folder's name, since where it lies is nobody's business. */
const publicName = (model: string) => (isAbsolute(model) || model.startsWith('.') ? basename(model) : model)

const tenths = (milliseconds: number) => Math.round(milliseconds * 10) / 10

/** The first synonym of the best class; null if there is none or it is not sure enough. */
function searchTerm([best]: readonly Classification[]): string | null {
  return best && best.score >= SURE ? best.label.split(',', 1)[0]!.trim() : null
}

function answerOf(prediction: string, { text, definition }: Lookup): Answer {
  return { prediction, 'wikipedia info': text, ...(definition && { definition }) }
}

const TOO_NARROW = 'The picture is too long and narrow'
const REFUSALS: Partial<Record<string, [status: number, detail: string]>> = {
  IMAGE_INVALID: [415, 'The file is not a picture that can be read: send PNG, JPEG, WebP or GIF'],
  IMAGE_TRUNCATED: [400, 'The picture ends too early: send it again'],
  IMAGE_TOO_LARGE: [413, `The picture has more than ${MAX_PIXELS / 1e6} million pixels`],
}

async function openPicture(bytes: Uint8Array): Promise<Image> {
  try {
    return await Image.open(bytes, { maxPixels: MAX_PIXELS })
  } catch (error) {
    const refusal = error instanceof RayitoError ? REFUSALS[error.code] : undefined
    throw refusal ? new HttpError(...refusal) : error
  }
}

export const info = ImageClassifier.bind(WikipediaSearch.bind())
