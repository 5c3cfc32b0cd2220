import type { Settings } from '../settings.js'
import { writeJson } from '../write-json.js'
import type { Service } from './service.js'
import type { Request } from './service-client.js'

/** `out/exercise-2.json`: what the service was asked, and what it answered. */
export interface Exercise2 {
  /** ISO 8601. */
  made: string
  url: string
  /** Where the model came from; 'unknown' of a service that was running already. */
  source: string
  /** The model that answered; 'unknown' if no answer said it. */
  model: string
  requests: Request[]
}

export const EXERCISE_2_FILE = 'exercise-2.json'

/** Gathers the questions and answers of exercise 2. */
export function exercise2(
  settings: Pick<Settings, 'source' | 'model'>,
  { service, requests }: { service: Pick<Service, 'url' | 'started'>; requests: readonly Request[] },
): Exercise2 {
  const told = requests.find(({ response }) => response.model !== undefined)?.response.model
  return {
    made: new Date().toISOString(),
    url: `${service.url}/whatis`,
    source: service.started ? settings.source : 'unknown',
    model: told ?? 'unknown',
    requests: [...requests],
  }
}

/** Writes it into a folder, whole or not at all; returns the file's path. Rejects with RESULTS_UNWRITABLE. */
export function saveExercise2(folder: string, exercise: Exercise2): Promise<string> {
  return writeJson(folder, EXERCISE_2_FILE, exercise)
}
