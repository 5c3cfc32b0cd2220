import { writeFile } from 'node:fs/promises'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { SUBJECTS } from './subjects.js'

/** What `datasets` notes in its files, so that it and loadDataset know a picture and a class when they see them. */
const FEATURES = {
  image: { _type: 'Image' },
  label: { names: SUBJECTS.map(({ label }) => label), _type: 'ClassLabel' },
}

/** Writes a split as the Hub keeps it: the schema of tiny-imagenet, pictures inside, rows sorted by class. */
export async function writeTable(
  path: string,
  pictures: readonly Uint8Array[],
  labels: readonly number[],
): Promise<void> {
  const buffer = parquetWriteBuffer({
    schema: [
      { name: 'schema', num_children: 2 },
      { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      {
        name: 'path',
        type: 'BYTE_ARRAY',
        converted_type: 'UTF8',
        logical_type: { type: 'STRING' },
        repetition_type: 'OPTIONAL',
      },
      { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
    ],
    columnData: [
      { name: 'image', data: pictures.map((bytes) => ({ bytes, path: null })) },
      { name: 'label', data: labels.map(BigInt) },
    ],
    // a PNG is packed already, and a row is found by reading one small page
    codec: 'UNCOMPRESSED',
    pageSize: 65_536,
    rowGroupSize: 1000,
    statistics: false,
    kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features: FEATURES } }) }],
    createdBy: 'rayito',
  })
  await writeFile(path, new Uint8Array(buffer))
}
