/** What the service answers, and what its documentation says of it. */
export interface Answer {
  /** The first synonym of the best class, or 'unknown'. */
  prediction: string
  /** The beginning of the page on it. */
  'wikipedia info'?: string
  /** Where Wikipedia cannot be reached: what WordNet says. */
  definition?: { text: string; source: string }
}

/** With `?details=1`. */
export interface DetailedAnswer extends Answer {
  /** The five best, best first. */
  classes: { label: string; score: number }[]
  /** Wikipedia's page that the text is of; null without one. */
  page: { title: string; url: string } | null
  /** The model's repository or folder. */
  model: string
  /** What its steps took, within the service. */
  milliseconds: { decode: number; inference: number; wikipedia: number; total: number }
}

const text = { type: 'string' } as const
const number = { type: 'number' } as const

export const WHAT_IS = {
  call: 'classify',
  file: 'file',
  summary: 'What a picture shows, and what Wikipedia says of it',
  query: { details: '1: also the five best classes, the page and times' },
  responses: {
    400: 'The picture is truncated',
    408: 'It took too long',
    413: 'The file has more than 10 MB, or the picture more than 50 million pixels, or it is too long and narrow',
    415: 'The file is not a PNG, JPEG, WebP or GIF picture',
    503: 'Too many requests wait; Retry-After says when to come again',
  },
  answer: {
    type: 'object',
    properties: {
      prediction: text,
      'wikipedia info': text,
      definition: { type: 'object', properties: { text, source: text } },
      classes: { type: 'array', items: { type: 'object', properties: { label: text, score: number } } },
      page: { type: ['object', 'null'], properties: { title: text, url: text } },
      model: text,
      milliseconds: { type: 'object', additionalProperties: number },
    },
    required: ['prediction'],
  },
} as const
