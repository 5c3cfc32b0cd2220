import { expected } from '../../core/errors.js'
import { bytes, list, percent, seconds } from '../format.js'
import { range, type VersionName } from '../settings.js'
import { DOINGS, sharesOf } from './activity.js'
import { each, ran, secondsFor, type Version } from './version.js'

/** Figures that the conclusion can quote beside the versions' own. */
export interface ConclusionOptions {
  /** Cores of this machine, which A had. */
  cores: number
  /** Threads or actors that B, C1 and C2 worked with. */
  workers: number
  /** Machines of the cluster that B, C1 and C2 ran on. @default undefined: they ran on this one */
  nodes?: number | undefined
  /** Seconds that moving arguments and results took, where it was measured: the same calls with nothing to do. */
  moving?: Partial<Record<VersionName, number>> | undefined
}

/** Which version was fastest, and why. */
export interface Conclusion {
  fastest: VersionName
  /** Each a fact of the numbers given. */
  sentences: string[]
  /** The sentences as one text. */
  why: string
}

/** Each version runs once, and runs of one version differ by up to this share of the time: less is as likely the machine's mood as its merit. */
const TIE = 0.1
/** What is less than this share of the time did not decide anything. */
const MINOR = 0.05
/** Workers gain no more than their number, or that of their cores; reading, which A does itself, may add a little. */
const BEYOND = 1.25
/** How many times the measured number of pictures the figures may be carried on to. */
const FAR = 100

/**
 * What the measured numbers say: which version was fastest, by how much, what made the difference, and at what point
 * another would win. It claims nothing that the numbers do not show. Throws INVALID_ARGUMENT when no version was run.
 */
export function conclude(versions: readonly (Version | undefined)[], options: ConclusionOptions): Conclusion {
  const order = ran(versions).sort((x, y) => x.seconds - y.seconds)
  const [best, second] = order
  if (!best) expected('versions', 'at least one version that was run', 'none')
  const sentences = second
    ? [
        verdict(order),
        ...order.slice(1).map((other) => gap(best, other)),
        sharing(order, options),
        outweighed(order),
        loading(order),
        workersTime(order),
        transfer(order, options),
        flip(best, order),
        flipByTransfer(best, order, options),
        where(order, options),
      ].filter((sentence) => sentence !== '')
    : [`Only version ${named(best)} was run: ${seconds(best.seconds)} s, with nothing to compare it to.`]
  return { fastest: best.name, sentences, why: sentences.join(' ') }
}

const named = ({ name, title }: Version) => `${name} (${title})`

function verdict([best, ...others]: Version[]): string {
  const near = others.filter((other) => isTie(best!, other))
  const slowest = others.at(-1)!
  const range = `${named(slowest)} took ${seconds(slowest.seconds)} s, ${(slowest.seconds / best!.seconds).toFixed(2)} times as long.`
  if (near.length === 0) return `Version ${named(best!)} was fastest with ${seconds(best!.seconds)} s; ${range}`
  const tied = [best!, ...near].map(({ name, seconds: s }) => `${name} ${seconds(s)} s`)
  const level = `${list(tied)} are as good as level: they lie within ${TIE * 100} % of each other, which another run can turn round.`
  return near.length === others.length ? level : `${level} ${range}`
}

function isTie(best: Version, other: Version): boolean {
  return other.seconds <= best.seconds * (1 + TIE)
}

/** Where the time between the best and another one went. */
function gap(best: Version, other: Version): string {
  if (isTie(best, other)) return ''
  const whole = other.seconds - best.seconds
  const parts = [
    { what: 'loading', more: other.loadSeconds - best.loadSeconds },
    { what: 'classifying', more: other.inferenceSeconds - best.inferenceSeconds },
  ].sort((x, y) => y.more - x.more)
  const main = parts[0]!
  const minus = parts[1]!
  const rest =
    minus.more > whole * MINOR
      ? `, ${seconds(minus.more)} s in ${minus.what}`
      : minus.more < -whole * MINOR
        ? `, though it saved ${seconds(-minus.more)} s in ${minus.what}`
        : ''
  return `${other.name} took ${seconds(whole)} s longer than ${best.name}: ${seconds(main.more)} s in ${main.what}${rest}.`
}

/** What sharing the pictures out among workers did to the time of a picture. */
function sharing(order: Version[], { cores, nodes, ...options }: ConclusionOptions): string {
  const a = order.find(({ name }) => name === 'A')
  const parallel = order.filter(({ name }) => name !== 'A').sort((x, y) => each(x) - each(y))[0]
  if (!a || !parallel) return ''
  const gain = each(a) / each(parallel)
  // One for whom there is no picture shares nothing.
  const workers = Math.min(options.workers, parallel.result.length)
  const rates = `${named(parallel)} finished a picture every ${timeOfOne(each(parallel))}, A every ${timeOfOne(each(a))}`
  const many = workers === 1 ? workersText(1) : `${workersText(workers)}, each with pictures of its own,`
  const single = cores === 1 ? 'the driver' : 'one session that splits every picture among the cores'
  if (Math.abs(gain - 1) <= TIE) {
    const since = cores === 1 ? '' : ", since A's one session already spreads every picture over the cores"
    return workers === 1
      ? `Once loaded, ${rates}: handing the pictures to one worker gained nothing.`
      : `Once loaded, ${rates}: sharing the pictures among ${workersText(workers)} gained nothing${since}.`
  }
  const most = nodes === undefined ? Math.min(workers, cores) : workers
  const those = most === workers ? workersText(workers) : coresText(most)
  const beyond =
    gain > most * BEYOND
      ? `: more than ${those} can gain by sharing. Something else slowed A down, such as another program, or its first pictures, which take longer`
      : ''
  return gain > 1
    ? `Once loaded, ${rates}: ${many} classified ${percent(gain - 1)} more pictures a second than ${single}${beyond}.`
    : `Once loaded, ${rates}: ${single} classified ${percent(1 / gain - 1)} more pictures a second than ${many.replace(/,$/, '')}.`
}

/** Whether A is ahead only because the others had workers to start. */
function outweighed([best, ...others]: Version[]): string {
  if (best!.name !== 'A') return ''
  const sooner = others.filter(
    (other) => !isTie(best!, other) && other.inferenceSeconds * (1 + TIE) < best!.inferenceSeconds,
  )
  if (sooner.length === 0) return ''
  const nearest = sooner[0]!
  const saved = best!.inferenceSeconds - nearest.inferenceSeconds
  const more = nearest.loadSeconds - best!.loadSeconds
  return `Starting the workers outweighed sharing the work: ${nearest.name} saved ${seconds(saved)} s in classifying and took ${seconds(more)} s longer until its workers could begin; with so little work for each picture it takes more pictures to win that back.`
}

/** Whether a part of the time makes up half of what the best is ahead of another, or more. */
function decided([best, ...others]: Version[], part: (version: Version) => number): boolean {
  return others.some(
    (other) => !isTie(best!, other) && part(other) - part(best!) >= (other.seconds - best!.seconds) / 2,
  )
}

function loading(order: Version[]): string {
  const shares = order.map((version) => ({ version, share: version.loadSeconds / version.seconds }))
  const low = shares.reduce((x, y) => (y.share < x.share ? y : x))
  const high = shares.reduce((x, y) => (y.share > x.share ? y : x))
  const text = ({ version, share }: typeof low) =>
    `${percent(share)} of the time in ${version.name} (${seconds(version.loadSeconds)} s)`
  return high.share < MINOR && !decided(order, ({ loadSeconds }) => loadSeconds)
    ? `Loading decided little: at most ${text(high)}.`
    : `Loading took from ${text(low)} to ${text(high)}.`
}

/** What the workers were at, by the recorded stretches of each version. */
function workersTime(order: Version[]): string {
  const texts = [...order]
    .sort((x, y) => x.name.localeCompare(y.name))
    .flatMap(({ name, lanes }) => {
      if (!lanes?.length) return []
      const shares = sharesOf(lanes)
      const rounded = wholePercents(DOINGS.map((doing) => shares[doing]))
      return [`in ${name} ${list(DOINGS.map((doing, i) => `${rounded[i]} % ${doing}`))}`]
    })
  if (texts.length === 0) return ''
  const ofA = order.some(({ name }) => name === 'A') ? " (in A the driver's)" : ''
  return `The workers' time${ofA} went, from start to end: ${texts.join('; ')}.`
}

/** Shares of 1 in whole per cent that add up to 100: those with the largest rests are rounded up. */
export function wholePercents(shares: readonly number[]): number[] {
  const exact = shares.map((share) => share * 100)
  const whole = exact.map(Math.floor)
  const missing = 100 - whole.reduce((sum, one) => sum + one, 0)
  const byRest = exact.map((value, i) => ({ i, rest: value - whole[i]! })).sort((a, b) => b.rest - a.rest)
  for (const { i } of byRest.slice(0, missing)) whole[i] = whole[i]! + 1
  return whole
}

function transfer(order: Version[], { moving = {} }: ConclusionOptions): string {
  const parallel = order.filter(({ name }) => name !== 'A').sort((x, y) => x.name.localeCompare(y.name))
  if (parallel.length === 0) return ''
  const moved = list(parallel.map(({ name, bytesMoved }) => `${name} ${bytes(bytesMoved)}`))
  const timed = parallel.filter(({ name }) => moving[name] !== undefined)
  if (timed.length === 0) return `Between the driver and the workers moved: ${moved}.`
  const share = ({ name, seconds: s }: Version) => moving[name]! / s
  const most = timed.reduce((x, y) => (share(y) > share(x) ? y : x))
  const cost = `${seconds(moving[most.name]!)} s or ${percent(share(most))} of its time`
  const minor = share(most) < MINOR && !decided(order, ({ name }) => moving[name] ?? 0)
  return minor && timed.length === parallel.length
    ? `Between the driver and the workers moved: ${moved}; the same calls with nothing to do took at most ${cost} (${most.name}), so transfer did not decide.`
    : `Between the driver and the workers moved: ${moved}; the same calls with nothing to do took most for ${most.name}: ${cost}.`
}

/** With how many pictures another version would have won. */
function flip(best: Version, order: Version[]): string {
  const behind = order.filter((other) => !isTie(best, other))
  if (behind.length === 0) return ''
  const count = best.result.length
  const points = behind.map((other) => {
    const gain = each(other) - each(best)
    const isAhead = (pictures: number) => secondsFor(other, pictures) < secondsFor(best, pictures) * (1 - 1e-9)
    const ahead = range(1, count).filter(isAhead)
    return {
      other,
      gain,
      at: (best.loadSeconds - other.loadSeconds) / gain,
      from: ahead[0] ?? 0,
      to: ahead.at(-1) ?? 0,
    }
  })
  const fewer = points.filter(({ to }) => to > 0).sort((x, y) => y.to - x.to)[0]
  const most = count * FAR
  const crossing = points.filter(({ gain, at }) => gain < 0 && at > count && at <= most).sort((x, y) => x.at - y.at)
  // What takes less by a hair may take more in another run.
  const more = crossing.find(({ other, gain }) => -gain > each(other) * TIE)
  const texts = [
    fewer &&
      `with ${fewer.from > 1 ? `${fewer.from} to about ${fewer.to}` : `fewer than about ${fewer.to + 1}`} pictures ${fewer.other.name}, which ${fewer.other.loadSeconds < best.loadSeconds ? 'loads sooner' : 'takes less for a single one'}, would be ahead of ${best.name}`,
    more &&
      `with more than about ${Math.round(more.at)} pictures ${more.other.name}, which takes less for each, would overtake ${best.name}`,
  ].filter((text) => text !== undefined)
  if (texts.length === 0 && crossing.length > 0) return ''
  if (texts.length === 0)
    return `By these figures ${list(behind.map(({ name }) => name))} would stay behind ${best.name} with anything from 1 to ${most.toLocaleString('en')} pictures.`
  return `The verdict flips with the number of pictures: ${list(texts)}.`
}

/** How dear moving a picture would have to be before a version that moves none wins. */
function flipByTransfer(best: Version, order: Version[], { nodes }: ConclusionOptions): string {
  if (!order.some(({ name }) => name === 'C1')) return ''
  const rival = order.find(({ name }) => name === 'A' || name === 'C1')!
  if (isTie(best, rival)) return ''
  const slack = (rival.seconds - best.seconds) / best.result.length
  const why = rival.name === 'A' ? 'A, which hands out none' : 'C1, which moves only row numbers'
  const how = nodes === undefined ? 'over a network' : 'a slower network'
  return `The verdict would change, too, if handing a picture to a worker took ${timeOfOne(slack)} longer than now – with pictures far larger, or ${how} – since ${why}, would then be ahead.`
}

/** On what all this was measured. */
function where(order: Version[], { cores, workers, nodes }: ConclusionOptions): string {
  if (nodes !== undefined && order.some(({ name }) => name !== 'A'))
    return `All this holds for ${workersText(workers)} on ${nodes === 1 ? 'one node' : `${nodes} nodes`}, and for A on the ${coresText(cores)} of the driver's machine.`
  if (cores === 1) return 'This machine has one core: workers can only take turns on it, whatever their number.'
  if (order.every(({ name }) => name === 'A') || workers === 1) return ''
  return `All this holds for ${cores} cores; on a single core the workers could only take turns.`
}

function workersText(workers: number): string {
  return workers === 1 ? 'one worker' : `${workers} workers`
}

function coresText(cores: number): string {
  return cores === 1 ? 'one core' : `${cores} cores`
}

/** What a picture takes, in words. */
function timeOfOne(value: number): string {
  const ms = value * 1_000
  if (ms < 0.01) return 'under 0.01 ms'
  if (value >= 10) return `${seconds(value)} s`
  return `${ms >= 99.5 ? ms.toFixed(0) : ms >= 0.995 ? ms.toPrecision(2) : ms.toFixed(2)} ms`
}
