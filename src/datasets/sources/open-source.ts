import type { Place, Source } from './source.js'

/** Opens a source by its place; only the reader that it needs is imported. */
export async function openSource(place: Place): Promise<Source> {
  if (place.kind === 'parquet') return (await import('./parquet-source.js')).ParquetSource.open(place)
  return new (await import('./picture-source.js')).PictureSource(place)
}
