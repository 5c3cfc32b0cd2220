import {
  type Field,
  fields,
  GRAPH,
  initializer,
  MODEL,
  message,
  type Node,
  nameOf,
  newNode,
  opsetOf,
  readNode,
  rewritten,
  TENSOR,
  text,
  wholeNumbers,
  withGraph,
} from './onnx-file.js'

/**
 * A vision transformer of Python classifies by its last layer's first token: `hidden_states[:, 0]`. For all other tokens
 * that layer needs keys and values only, and yet its queries, its projection and its two wide products are computed for
 * all: in ViT-Base 7 of 100 operations, for nobody. Here the choice of the first token goes up through the graph as far as
 * each operator treats tokens on their own, so that the same operations run on two rows; the numbers that are left are the
 * same but for the order in which a kernel adds up. Not for quantised graphs, whose scales are taken over all tokens.
 *
 * Shapes are not inferred: the model is asked for them (`questions`), by one run.
 */

/** A model that tells the shapes of its values, and those values that say where an operator works. */
export interface Questions {
  model: Uint8Array
  /** Names of values, in the order of the outputs `shape:0`, `shape:1`, … */
  shapes: string[]
  /** The same of the outputs `value:0`, …, which are whole numbers. */
  values: string[]
}

/** What it told. */
export interface Told {
  shapes: ReadonlyMap<string, readonly number[]>
  values: ReadonlyMap<string, readonly number[]>
}

/** The axis of a value of which only the first entry is wanted, for an input of a node; null where all of it is. */
type Wanted = (number | null)[]

interface Graph {
  field: Field
  opset: number
  nodes: Node[]
  /** All but nodes and the shapes that other tools noted, which change. */
  rest: Field[]
  /** Names of initializers and of what nodes hold as constants. */
  constants: Set<string>
  /** What somebody else than the graph's nodes reads. */
  taken: Set<string>
}

/** Slice takes its places from inputs since this version of ONNX's operators; Softmax and others changed at 13. */
const FIRST_OPSET = 11
/** Rows that are computed: two, since for a single one onnxruntime has kernels that add up in another order. */
export const ROWS = 2
const UNARY = new Set('Cast Erf Exp Gelu Identity Log Neg Reciprocal Relu Sigmoid Softplus Sqrt Tanh'.split(' '))
const PRODUCTS = new Set(['MatMul', 'MatMulInteger'])
const BINARY = new Set('Add Sub Mul Div Pow'.split(' '))

/** The model with an output for each shape that `firstTokenOnly` needs; null where it has no first token to begin with. */
export function questions(model: Uint8Array): Questions | null {
  const graph = readGraph(model)
  if (!graph || !beginsSomewhere(graph)) return null
  const shapes = [...new Set(graph.nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]))].filter(Boolean)
  const values = [...new Set(graph.nodes.flatMap(numbersOf))].filter((name) => graph.constants.has(name))
  const ask = (op: string, names: string[], prefix: string) =>
    names.flatMap((name, i) => [
      ...message(GRAPH.node, newNode(op, [name], `${prefix}:${i}`)),
      ...message(GRAPH.output, wholeNumbers(`${prefix}:${i}`)),
    ])
  const body = [
    model.subarray(graph.field.from, graph.field.end),
    ...ask('Shape', shapes, 'shape'),
    ...ask('Identity', values, 'value'),
  ]
  return { model: withGraph(model, graph.field, body), shapes, values }
}

/** Whether a node may take the first of something, other than of a shape. */
function beginsSomewhere({ nodes, constants }: Graph): boolean {
  const shapes = new Set(nodes.filter(({ op }) => op === 'Shape').map(({ outputs }) => outputs[0]!))
  return nodes.some(({ op, inputs }) => op === 'Gather' && constants.has(inputs[1]!) && !shapes.has(inputs[0]!))
}

/** Inputs that say where an operator works. */
function numbersOf({ op, inputs }: Node): string[] {
  return (op === 'Gather' || op === 'ReduceMean') && inputs[1] ? [inputs[1]] : []
}

/**
 * The model that computes the first token only from where the others are not read any more, for pictures of the size it
 * was asked with and a batch of one; null where no product would be smaller.
 */
export function firstTokenOnly(model: Uint8Array, told: Told): Uint8Array | null {
  const graph = readGraph(model)
  if (!graph || graph.opset < FIRST_OPSET) return null
  const frozen = new Map<string, number[]>()
  const freeze = (node: Node, shape: readonly number[]) => {
    const name = `first-token:shape:${node.outputs[0]}`
    frozen.set(name, [...shape])
    node.inputs[1] = name
  }
  // who asks for a shape only to form a tensor anew keeps nothing alive
  for (const node of graph.nodes) {
    const shape = told.shapes.get(node.outputs[0]!)
    if (node.op === 'Reshape' && shape && !graph.constants.has(node.inputs[1]!)) freeze(node, shape)
  }
  const nodes = living(graph.nodes, graph.taken)
  const { slices, formed, products } = walk(nodes, graph, told)
  if (products === 0) return null
  for (const [node, axis] of formed) {
    const shape = [...told.shapes.get(node.outputs[0]!)!]
    shape[axis] = ROWS
    freeze(node, shape)
  }
  const made = new Set<string>()
  const written = nodes.flatMap((node) => {
    const before = node.inputs.flatMap((name, at) => {
      const axis = slices.get(node)?.get(at)
      if (axis === undefined) return []
      const first = `first-token:${axis}:${name}`
      node.inputs[at] = first
      if (made.has(first)) return []
      made.add(first)
      return message(GRAPH.node, newNode('Slice', [name, 'first-token:0', 'first-token:rows', axisName(axis)], first))
    })
    return [...before, ...message(GRAPH.node, rewritten(model, node))]
  })
  const axes = new Set([...slices.values()].flatMap((inputs) => [...inputs.values()]))
  const body = [
    ...graph.rest.map(({ start, end }) => model.subarray(start, end)),
    ...written,
    ...initializer('first-token:0', [0]),
    ...initializer('first-token:rows', [ROWS]),
    ...[...axes].flatMap((axis) => initializer(axisName(axis), [axis])),
    ...[...frozen].flatMap(([name, shape]) => initializer(name, shape)),
  ]
  return withGraph(model, graph.field, body)
}

const axisName = (axis: number) => `first-token:axis:${axis}`

/** What the choice of the first token meets on its way up. */
interface Walk {
  /** Inputs before which the first entry is cut out, each with its axis. */
  slices: Map<Node, Map<number, number>>
  /** Reshapes whose result is smaller now, with the axis. */
  formed: Map<Node, number>
  /** How many products got smaller. */
  products: number
}

/**
 * From the end to the beginning: a value that all its readers want the first entry of is computed so, where its operator
 * allows, and its operator's inputs are wanted so in turn; any other value is cut where it is read.
 */
function walk(nodes: readonly Node[], { constants, taken }: Graph, told: Told): Walk {
  const found: Walk = { slices: new Map(), formed: new Map(), products: 0 }
  const readers = new Map<string, { node: Node; at: number; axis: number | null }[]>()
  const cut = (node: Node, at: number, axis: number) =>
    found.slices.set(node, (found.slices.get(node) ?? new Map()).set(at, axis))
  const wants = (name: string): number | null => {
    const all = readers.get(name) ?? []
    const axis = all[0]?.axis ?? null
    return axis !== null && !taken.has(name) && all.every((reader) => reader.axis === axis) ? axis : null
  }
  const cutAll = (name: string) => {
    for (const { node, at, axis } of readers.get(name) ?? []) if (axis !== null) cut(node, at, axis)
  }
  for (const node of [...nodes].reverse()) {
    const [output, ...others] = node.outputs
    const axis = others.some((name) => readers.has(name)) ? null : wants(output!)
    let inputs: Wanted | null = null
    if (axis !== null) inputs = through(node, axis, told)
    else if (isFirst(node, constants, told))
      inputs = [axisOf(node, 'axis', 0, told.shapes.get(node.inputs[0]!)!.length)]
    if (axis !== null && inputs) {
      if (PRODUCTS.has(node.op)) found.products++
      if (node.op === 'Reshape') found.formed.set(node, axis)
    } else for (const name of node.outputs) cutAll(name)
    node.inputs.forEach((name, at) => {
      if (!readers.has(name)) readers.set(name, [])
      readers.get(name)!.push({ node, at, axis: inputs?.[at] ?? null })
    })
  }
  const inside = new Set(nodes.flatMap(({ outputs }) => outputs))
  for (const name of readers.keys()) if (!inside.has(name)) cutAll(name)
  return found
}

/** Whether a node takes the first entry of an axis that has more. */
function isFirst({ op, inputs, ...node }: Node, constants: Set<string>, { shapes, values }: Told): boolean {
  const shape = shapes.get(inputs[0]!)
  const at = values.get(inputs[1]!)
  if (op !== 'Gather' || !shape || at?.length !== 1 || at[0] !== 0 || !constants.has(inputs[1]!)) return false
  return shape[axisOf({ op, inputs, ...node }, 'axis', 0, shape.length)]! > 1
}

/** A node's axis, counted from the front. */
function axisOf(node: Node, name: string, otherwise: number, rank: number): number {
  const axis = node.integers.get(name)?.[0] ?? otherwise
  return axis < 0 ? axis + rank : axis
}

/**
 * What a node needs of its inputs for the first entry of its result along an axis; null where that is more than the first
 * entry of one axis, or not known here.
 */
function through(node: Node, axis: number, { shapes, values }: Told): Wanted | null {
  const { op, inputs } = node
  const result = shapes.get(node.outputs[0]!)
  const all = inputs.map((name) => shapes.get(name))
  const [data] = all
  if (!result || !data) return null
  if (UNARY.has(op)) return [axis]
  if (BINARY.has(op)) {
    if (all.length !== 2 || !all[1]) return null
    return all.map((shape) => {
      const own = axis - (result.length - shape!.length)
      return own < 0 || shape![own] === 1 ? null : own
    })
  }
  switch (op) {
    case 'MatMul':
    case 'MatMulInteger':
      // rows of the first factor, whose zero point onnxruntime takes for all at once; which product of several it is concerns both
      return axis === result.length - 2 && data.length >= 2 ? [data.length - 2] : null
    case 'Softmax':
      return node.integers.has('axis') &&
        axisOf(node, 'axis', -1, data.length) === data.length - 1 &&
        axis < data.length - 1
        ? [axis]
        : null
    case 'LayerNormalization':
      return axis < axisOf(node, 'axis', -1, data.length) ? [axis] : null
    case 'ReduceMean': {
      const axes = (inputs[1] ? values.get(inputs[1]) : node.integers.get('axes'))?.map(
        (at) => (at + data.length) % data.length,
      )
      const kept = (node.integers.get('keepdims')?.[0] ?? 1) === 1
      return kept && axes && axes.length > 0 && !axes.includes(axis) ? [axis] : null
    }
    case 'Transpose': {
      const from = node.integers.get('perm')?.[axis]
      return from === undefined ? null : [from]
    }
    case 'Reshape': {
      const before = product(result.slice(0, axis))
      const own = data.findIndex((size, i) => size === result[axis] && product(data.slice(0, i)) === before)
      return own < 0 ? null : [own]
    }
    default:
      return null
  }
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)

/** The nodes that somebody reads something of. */
function living(nodes: readonly Node[], taken: ReadonlySet<string>): Node[] {
  const read = new Set(taken)
  const alive: Node[] = []
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => read.has(name))) continue
    alive.push(node)
    for (const name of node.inputs) read.add(name)
  }
  return alive.reverse()
}

function readGraph(model: Uint8Array): Graph | null {
  const all = fields(model)
  const field = all.find(({ number }) => number === MODEL.graph)
  if (!field) return null
  const graph: Graph = {
    field,
    opset: opsetOf(model, all),
    nodes: [],
    rest: [],
    constants: new Set(),
    taken: new Set(),
  }
  for (const part of fields(model, field)) {
    if (part.number === GRAPH.node) {
      const node = readNode(model, part, graph.taken)
      if (node.op === 'Constant') graph.constants.add(node.outputs[0]!)
      graph.nodes.push(node)
      continue
    }
    if (part.number === GRAPH.initializer) {
      const name = fields(model, part).find(({ number }) => number === TENSOR.name)
      if (name) graph.constants.add(text(model, name))
    }
    if (part.number === GRAPH.output) graph.taken.add(nameOf(model, part))
    if (part.number !== GRAPH.valueInfo) graph.rest.push(part)
  }
  return graph
}
