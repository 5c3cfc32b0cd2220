/** Of which kind files are, by their names, as Python's `datasets` guesses it (its load.py and packaged_modules). */

/** What a data set's files are: what can be read here, or something else. */
export type Kind = 'parquet' | 'pictures' | 'others'

/** What Python makes rows of, and this package does not. (Of texts such as `.md` and `.toml` there are many that are no data.) */
const OTHERS = [
  'arrow|conllu?|csv|geoparquet|gpq|h5|hdf5|jsonl?|lance|ndjson|tar|tsfile|tsv|txt|vortex|xml|zip',
  '3g[2p]|aiff|asf|au|avi|caf|f4v|flac|flv|m4v|mkv|mov|mp[34]|mpe?g|mxf|og[gm]|opus|wav|webm|wm[av]',
  'afa|cif|fa|faa|fasta|fastq|ffn|fna|fq|frn|gbk?|genbank|gltf|glb|mmcif|nii|pdb|pdf|ply|stl',
].join('|')

/**
 * Kinds by the extension. Pictures that cannot be decoded are rows, too, as in Python: left out, they would be missing without a word.
 * Other files count, so that nothing is taken for the data that lies beside it.
 */
const KINDS: Record<Kind, { name: string; form: RegExp }> = {
  parquet: { name: 'Parquet files', form: /\.(parquet)$/i },
  pictures: {
    name: 'pictures',
    form: /\.(a?png|bmp|dds|dib|gif|icns|ico|j2k|jfif|jp2|jpe?g|jpe|jpx|p[bgnp]m|pcx|psd|sgi|tga|tiff?|webp)$/i,
  },
  others: { name: 'other files', form: new RegExp(`\\.(${OTHERS})(?:\\.\\w+)?$`, 'i') },
}

/** What Python's imagefolder takes columns from, in place of classes. */
export const METADATA = /(?:^|\/)metadata\.(csv|jsonl|parquet)$/

/** What tells of a data set, and is no part of it. */
const DESCRIPTION = /(?:^|\/)(?:(?:config|dataset_dict|dataset_infos?)\.json|dummy_data\.zip)$/

/** The extension of a file of data, in small letters. */
function extensionOf(path: string): string | undefined {
  if (DESCRIPTION.test(path)) return undefined
  for (const { form } of Object.values(KINDS)) {
    const found = form.exec(path)
    if (found) return found[1]!.toLowerCase()
  }
  return undefined
}

/** Whether Python's `datasets` would read rows from such a file. */
export const isData = (path: string) => extensionOf(path) !== undefined

/** Of extensions that are equally frequent the last of these counts, else the last by name. */
const FAVOURITES = ['csv', 'json', 'jsonl', 'arrow', 'vortex', 'lance', 'parquet']

function mostFrequent(paths: readonly string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const path of paths) {
    const extension = extensionOf(path)
    if (extension !== undefined) counts.set(extension, (counts.get(extension) ?? 0) + 1)
  }
  const rank = (extension: string) => FAVOURITES.indexOf(extension)
  const [first] = [...counts].sort(([a, n], [b, m]) => m - n || rank(b) - rank(a) || (a < b ? 1 : -1))
  return first?.[0]
}

/** Python's rule: the kind of the extension that most files have; metadata count where nothing else is there. */
export function kindOf(paths: readonly string[]): Kind | null {
  const extension = mostFrequent(paths.filter((path) => !METADATA.test(path))) ?? mostFrequent(paths)
  if (extension === undefined) return null
  return (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind].form.test(`.${extension}`))!
}

/** Whether a file is of that kind, or tells of pictures. */
export const isOf = (kind: Kind) => (path: string) =>
  KINDS[kind].form.test(path) || (kind === 'pictures' && METADATA.test(path))

export const nameOf = (kind: Kind): string => KINDS[kind].name
