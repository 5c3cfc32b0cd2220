import { basename, dirname } from 'node:path/posix'
import { Feature, type Features, featuresOf } from '../features.js'
import { Image } from '../image/image.js'
import type { Place, Source } from './source.js'

/** Rows of picture files in class folders: `image` and the class's number as `label`. */
export class PictureSource implements Source {
  readonly features: Features

  constructor(readonly place: Extract<Place, { kind: 'pictures' }>) {
    const label = place.names.length > 0 ? [['label', new Feature('ClassLabel', null, place.names)] as const] : []
    this.features = featuresOf([['image', new Feature('Image')], ...label])
  }

  get numRows(): number {
    return this.place.files.length
  }

  fileOf(index: number): string {
    return this.place.files[index]!
  }

  async row(index: number, columns: readonly string[] = Object.keys(this.features)): Promise<Record<string, unknown>> {
    const { files, labels, options } = this.place
    const row: Record<string, unknown> = {}
    if (columns.includes('image')) row.image = await Image.open(files[index]!, { maxPixels: options.maxPixels })
    if (columns.includes('label') && labels.length > 0) row.label = labels[index]
    return row
  }

  column(name: string, rows: Uint32Array | null): Promise<unknown[]> | null {
    const { labels } = this.place
    if (name !== 'label') return null
    return Promise.resolve(rows ? Array.from(rows, (row) => labels[row]) : [...labels])
  }
}

/** The class of a picture: the folder that it lies in, by a path from the data set's root. */
export const classOf = (path: string): string => basename(dirname(`root/${path}`))

/**
 * The classes of a folder of pictures, none where they have no labels. As in Python's imagefolder they are the folders' names where
 * all pictures lie equally deep in more than one folder, else what `drop_labels` says.
 */
export function classesOf(paths: readonly string[], dropLabels: boolean | null): string[] {
  const classes = [...new Set(paths.map(classOf))].sort()
  const depths = new Set(paths.map((path) => path.split('/').length))
  const haveLabels = dropLabels === null ? depths.size === 1 && classes.length > 1 : !dropLabels
  return haveLabels ? classes : []
}
