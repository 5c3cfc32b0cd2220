/** Fills a Hub cache of the bench's own with what stands for data set and model where no Hub is: built-in pictures, random weights. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { progress } from '#src/core/progress.js'
import { embeddedDataset } from '#src/embedded/index.js'
import { configurationOf, generatedVit, VIT_BASE } from '../generated-vit.js'
import { given, report } from '../report.js'

/** Stands for a commit: forty digits. */
const COMMIT = '0'.repeat(40)

report(async (): Promise<null> => {
  const { hub } = given<{ hub: string }>()
  const rows = await embeddedDataset()
  const data = await repository(hub, 'datasets--Maysee--tiny-imagenet')
  await mkdir(join(data, 'data'), { recursive: true })
  for (const split of ['train', 'valid']) {
    const file = join('data', `${split}-00000-of-00001.parquet`)
    await copyFile(join(rows, file), join(data, file))
  }
  const model = await repository(hub, 'models--Xenova--vit-base-patch16-224')
  await mkdir(join(model, 'onnx'), { recursive: true })
  const bar = progress({ label: 'Making a ViT-Base of random weights', total: 2, unit: 'files' })
  for (const [name, dtype] of [
    ['model.onnx', 'fp32'],
    ['model_quantized.onnx', 'q8'],
  ] as const) {
    await writeFile(join(model, 'onnx', name), generatedVit(VIT_BASE, dtype))
    bar.add(1)
  }
  bar.done()
  for (const [name, value] of Object.entries(configurationOf(VIT_BASE)))
    await writeFile(join(model, name), JSON.stringify(value))
  return null
})

/** A repository's folder of files, at the only commit that it has. */
async function repository(hub: string, name: string): Promise<string> {
  const files = join(hub, name, 'snapshots', COMMIT)
  await mkdir(files, { recursive: true })
  await mkdir(join(hub, name, 'refs'), { recursive: true })
  await writeFile(join(hub, name, 'refs', 'main'), COMMIT)
  return files
}
