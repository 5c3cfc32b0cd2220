import { runBare } from '../bare.js'
import { interleave } from '../interleave.js'
import { runProgram } from '../program.js'
import type { ActorResult, ActorWork } from '../programs/actor-ready.js'
import type { Bare } from '../programs/bare.js'
import { makeRow } from '../row.js'
import type { Group } from './group.js'

/** How soon a session and an actor are there, and what a session takes. */
export const actors: Group = {
  name: 'actors',
  title: 'From nothing to an actor that can classify',
  needsModel: true,
  async measure({ repetitions, model, ray }) {
    const { env, paths } = model!
    const actor = (loadImages: boolean, dtype: ActorWork['dtype']) => async () =>
      (await runProgram<ActorResult>('actor-ready', { loadImages, dtype } satisfies ActorWork, { env })).value
    const bare = async () => {
      const work: Bare = { indices: [0], paths: paths.fp32, threads: 1, workers: 1 }
      return (await runBare(work, { env })).value
    }
    const runs = await interleave('actors', repetitions(15, 1), {
      bare,
      images: actor(true, 'fp32'),
      alone: actor(false, 'fp32'),
      q8: actor(true, 'q8'),
    })
    const sessions = await interleave('actors, sessions', repetitions(5, 1), {
      ours: () => runProgram<{ init: number }>('idle'),
      ...(ray && { ray: () => ray.run<{ init: number }>('idle') }),
    })
    const worker = { 'bare worker': runs.bare.map(({ loadSeconds }) => loadSeconds) }
    const ready = (name: 'images' | 'alone' | 'q8') => runs[name].map(({ ready }) => ready)
    const target = { value: 0.5 }
    return [
      makeRow({
        id: 'init',
        title: 'ray.init',
        unit: 'ms',
        ours: sessions.ours.map(({ value }) => value.init * 1e3),
        peers: { Ray: sessions.ray?.map(({ value }) => value.init * 1e3) },
        target: { value: 100 },
        targets: ray ? { Ray: 1 / 40 } : {},
      }),
      makeRow({
        id: 'idle',
        title: 'Memory of a session that does nothing',
        unit: 'MB',
        ours: sessions.ours.map(({ treeMB }) => treeMB),
        peers: { Ray: sessions.ray?.map(({ treeMB }) => treeMB) },
      }),
      makeRow({
        id: 'first-task',
        title: 'A task on a worker that starts for it',
        unit: 'ms',
        ours: runs.images.map(({ firstTask }) => firstTask * 1e3),
      }),
      makeRow({
        id: 'ready',
        title: 'An actor with model and data set',
        unit: 's',
        ours: ready('images'),
        peers: worker,
        target,
      }),
      makeRow({
        id: 'ready-no-images',
        title: 'An actor with the model alone',
        unit: 's',
        ours: ready('alone'),
        peers: worker,
        target,
      }),
      makeRow({
        id: 'ready-q8',
        title: 'An actor with the q8 model and data set',
        unit: 's',
        ours: ready('q8'),
        target,
      }),
    ]
  },
}
