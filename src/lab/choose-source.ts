import { tellEmbedded } from '../core/source.js'
import { EMBEDDED_DATASET, EMBEDDED_MODEL } from '../embedded/index.js'
import { inReach } from '../hub/index.js'
import { neededFiles } from '../transformers/model-files.js'
import { DEFAULT_MODEL } from '../transformers/pipeline.js'
import { type Settings, secretly } from './settings.js'

/**
 * Decides where data set and model come from and names them in the settings, so that every version and every worker
 * takes the same. With `auto` both come from the Hub if both can be had there (see the `source` of `loadDataset`); otherwise
 * both are the built-in ones, which is said in one line. A model that was named stays.
 */
export async function chooseSource(settings: Settings): Promise<Settings> {
  const { source } = settings
  if (source === 'hub' || (source === 'auto' && (await isOnHub(settings))))
    return secretly({ ...settings, source: 'hub' })
  if (source === 'auto') tellEmbedded('pictures and model')
  const model = settings.model ?? EMBEDDED_MODEL
  return secretly({ ...settings, source: 'embedded', dataset: EMBEDDED_DATASET, model })
}

async function isOnHub({ dataset, model, dtype }: Settings): Promise<boolean> {
  const rows = (paths: string[]) => paths.filter((path) => path.endsWith('.parquet'))
  if (!(await inReach({ type: 'dataset', id: dataset }, 'rows', rows))) return false
  return model !== undefined || inReach({ type: 'model', id: DEFAULT_MODEL }, dtype, () => neededFiles(dtype))
}
