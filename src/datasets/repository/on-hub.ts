import { readFile } from 'node:fs/promises'
import { RayitoError } from '../../core/errors.js'
import type { HubOptions, Repo } from '../../hub/index.js'
import { cardsIn } from './card.js'
import { cardFeatures } from './card-features.js'
import { readConfigurations } from './configurations.js'
import { chooseFiles, type Found, isReadable, type Wanted } from './data-files.js'
import { isPartial } from './splits.js'

/** Where the Hub keeps its own conversion of data sets that are not in Parquet. */
const CONVERTED = 'refs/convert/parquet'

/** A data set of the Hub, what is wanted of it downloaded: its own files, or where they cannot be read here those of the Hub's conversion. */
export async function onHub(id: string, revision: string | undefined, hub: HubOptions, wanted: Wanted): Promise<Found> {
  const { download, hubFile, listFiles } = await import('../../hub/index.js')
  const own: Repo = { type: 'dataset', id, ...(revision && { revision }) }
  const listed = await listFiles(own, hub)
  const unread: Unread[] = []
  const read = async (card: string) => {
    const file = await hubFile(own, card, hub).catch((error) => {
      if (!SURMOUNTABLE.has(error.code)) throw error
      unread.push({ card, error })
    })
    return file ? readFile(file, 'utf8') : null
  }
  const hasCard = wanted.dataFiles === undefined && revision !== CONVERTED
  const texts = hasCard ? await cardsIn(pathsOf(listed), read) : []
  const configurations = await readConfigurations(texts, id)
  // Whoever names a revision, or files, means the repository's own.
  const isMeant = revision !== undefined || wanted.dataFiles !== undefined
  const isOwn = isMeant || isReadable(pathsOf(listed), wanted, configurations)
  const conversion: Repo = { ...own, revision: CONVERTED }
  const converted = isOwn ? null : await listFiles(conversion, hub).catch(absent)
  if (unread[0]) withoutCard(unread[0], id, wanted, converted !== null)

  const repo = converted ? conversion : own
  const isConverted = repo.revision === CONVERTED
  const paths = pathsOf(converted ?? listed)
  const named = isConverted ? { converted: configurations } : configurations
  const files = chooseFiles(paths, wanted, id, named, (converted ?? listed).unsure)
  if (isConverted) tellPartial(id, files.splits)
  const needed = new Set([...files.splits.values()].flat())
  const { folder } = await download(repo, (path) => needed.has(path), hub)
  return { folder, ...files, features: () => cardFeatures(isConverted ? [] : texts, files.configuration, id) }
}

const pathsOf = ({ files }: { files: readonly { path: string }[] }) => files.map(({ path }) => path)

const SURMOUNTABLE = new Set<unknown>(['HUB_OFFLINE', 'HUB_UNREACHABLE', 'HUB_CACHE_READONLY'])

/** A card that cannot be had. The data may be in the cache all the same, from someone who did not read it. */
interface Unread {
  card: string
  error: RayitoError
}

function withoutCard({ card, error }: Unread, id: string, { name }: Wanted, isConverted: boolean): void {
  // The conversion's folders have the names of configurations.
  if (name !== undefined && isConverted) return
  if (name !== undefined) throw error
  const instead = 'what the names of the files tell is taken'
  process.emitWarning(`${card} of ${id}, which may name configurations, cannot be had: ${instead}`, 'RayitoWarning')
}

/** There is no conversion. */
function absent(error: unknown): null {
  if (error instanceof RayitoError && error.code === 'HUB_REVISION_NOT_FOUND') return null
  throw error
}

/** Data sets that were told to be there in part: once is enough. */
const told = new Set<string>()

function tellPartial(id: string, splits: Map<string, string[]>): void {
  const partial = [...splits].filter(([, paths]) => paths.some(isPartial)).map(([split]) => split)
  if (partial.length === 0 || told.has(id)) return
  told.add(id)
  const line = `of ${id} there are the first rows only (${partial.join(', ')}): the Hub has converted no more to Parquet`
  process.emitWarning(line, 'RayitoWarning')
}
