import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { PageHeader, ParquetType, SchemaElement } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writePageHeader } from 'hyparquet-writer/src/datapage.js'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import type { ResizeFilter } from '#src/datasets/index.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
export const FIXTURES = join(root, 'test', 'fixtures')
export const PICTURES = join(FIXTURES, 'pictures')
export const TABLES = join(FIXTURES, 'parquet')

/** The shared folder of golden answers, or null where it is absent. */
export function shared(...parts: string[]): string | null {
  const path = join(process.env.RAYITO_SHARED || join(root, '..', 'shared'), ...parts)
  return existsSync(path) ? path : null
}

/** A test's `skip`: false, or why. */
export const without = (path: string | null, what: string) => (path ? false : `${what} is not here`)

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export function temporary(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rayito-data-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

type Answers = Record<ResizeFilter, string[]>

/** What Pillow answers on the fixtures' pictures; see test/fixtures/make.py. */
export interface Manifest {
  sizes: [number, number][]
  pictures: {
    file: string
    mode: string
    width: number
    height: number
    rgb: string
    resized: Answers
    own?: { data: string; resized: Answers }
  }[]
}

export function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), 'utf8')) as T
}

export const manifest = readJson<Manifest>(PICTURES, 'manifest.json')

/** A Parquet file of a footer and nothing else. */
export function onlyFooter(footer: readonly number[]): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), length, Buffer.from('PAR1')])
}

/** A Parquet file of one column, `x`, in one page or several alike: their header and bytes are taken as they are given. */
export function onePage(
  type: ParquetType,
  repetition_type: SchemaElement['repetition_type'],
  header: Pick<PageHeader, 'data_page_header' | 'data_page_header_v2'>,
  bytes: readonly number[],
  pages = 1,
  /** Rows that the file says it has, where it lies. */
  claimed?: bigint,
): Uint8Array {
  const writer = new ByteWriter()
  const magic = () => writer.appendBytes(new TextEncoder().encode('PAR1'))
  magic()
  const kind = header.data_page_header ? 'DATA_PAGE' : 'DATA_PAGE_V2'
  for (let page = 0; page < pages; page++) {
    writePageHeader(writer, {
      type: kind,
      uncompressed_page_size: bytes.length,
      compressed_page_size: bytes.length,
      ...header,
    })
    writer.appendBytes(Uint8Array.from(bytes))
  }
  const rows = claimed ?? BigInt((header.data_page_header ?? header.data_page_header_v2)!.num_values * pages)
  const size = BigInt(writer.offset - 4)
  const meta_data = {
    type,
    encodings: ['PLAIN' as const],
    path_in_schema: ['x'],
    codec: 'UNCOMPRESSED' as const,
    num_values: rows,
    total_uncompressed_size: size,
    total_compressed_size: size,
    data_page_offset: 4n,
  }
  const schema = [
    { name: 'root', num_children: 1 },
    { name: 'x', type, repetition_type },
  ]
  const row_groups = [{ columns: [{ file_offset: 4n, meta_data }], total_byte_size: size, num_rows: rows }]
  writeMetadata(writer, { version: 2, schema, num_rows: rows, row_groups, metadata_length: 0 })
  magic()
  return writer.getBytes()
}
