/// <reference types="node" preserve="true" />
/** The laboratory: the parts that the notebooks of both exercises are made of. */

export { chooseSource } from './choose-source.js'
export { Cluster, findCluster } from './cluster/cluster.js'
export { nodesFed, type ScalingFigures, scaledSeconds, scalingChart, scalingText } from './cluster/scaling.js'
export { DOINGS, type Doing, type Lane, type Shares, type Stretch, sharesOf } from './exercise-1/activity.js'
export { getBestClassAndScore } from './exercise-1/best-class.js'
export { breakEven, breakEvenChart, breakEvenText } from './exercise-1/break-even.js'
export { barChart, type ChartOptions } from './exercise-1/chart.js'
export { type Agreement, agreementOf, sameAnswers } from './exercise-1/compare.js'
export { type Conclusion, type ConclusionOptions, conclude } from './exercise-1/conclusion.js'
export { type Exercise1, exercise1, machine, saveExercise1 } from './exercise-1/exercise-file.js'
export { inference, ready } from './exercise-1/inference.js'
export { type EngineOptions, InferenceEngine } from './exercise-1/inference-engine.js'
export { measure, type Run } from './exercise-1/measure.js'
export { modelBytes } from './exercise-1/model-bytes.js'
export { nothing, weigh } from './exercise-1/moving.js'
export { ResultTable, type TableOptions } from './exercise-1/table.js'
export { Tally } from './exercise-1/tally.js'
export { timelineChart } from './exercise-1/timeline-chart.js'
export type { Best, Version } from './exercise-1/version.js'
export { type Exercise2, exercise2, saveExercise2 } from './exercise-2/exercise-2-file.js'
export { gallery } from './exercise-2/gallery.js'
export {
  type LatencyOptions,
  LatencyTable,
  type Level,
  latencyChart,
  measureLatency,
  percentile,
} from './exercise-2/latency.js'
export { findService, Service } from './exercise-2/service.js'
export { type PictureFile, type Request, ServiceClient, type ServiceResponse } from './exercise-2/service-client.js'
export { range, readSettings, type Settings, type VersionName } from './settings.js'
export { formatTime, time } from './time.js'
