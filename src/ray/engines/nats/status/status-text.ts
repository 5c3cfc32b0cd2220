import { inLine, plural } from '../../../../core/format.js'
import type { ClusterStatus } from './cluster-status.js'

/** Characters in a line, those of a terminal. */
const WIDTH = 80

/** A cluster's state as a table of its nodes and a line of sums. */
export function statusText({ nodes, drivers, running, waiting }: ClusterStatus): string {
  const rows = nodes.map((node) => [
    inLine(node.name),
    `${round(node.cpus - node.available)} of ${node.cpus}`,
    `${node.tasks}`,
    `${node.actors}`,
    `${node.objects}`,
    `${node.memoryMB} MB`,
    node.draining ? 'leaves' : '',
  ])
  const table = [['node', 'CPUs busy', 'running', 'actors', 'objects', 'memory', ''], ...rows]
  const width = (column: number) => Math.max(...table.map((row) => row[column]!.length))
  const others = table[0]!.map((_, column) => width(column)).slice(1)
  const room = others.filter(Boolean).reduce((left, taken) => left - taken - 2, WIDTH)
  for (const row of table) row[0] = shortened(row[0]!, room)
  const widths = [width(0), ...others]
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  const cpus = nodes.reduce((sum, node) => sum + node.cpus, 0)
  return [
    ...(nodes.length ? lines : ['no node has joined: rayito worker --address …']),
    `${plural(nodes.length, 'node')}, ${plural(cpus, 'CPU')}; ${plural(drivers.length, 'driver')}; ` +
      `${running} tasks and calls run, ${waiting} wait`,
  ].join('\n')
}

const round = (value: number) => Math.round(value * 100) / 100

/** A name with both ends, which are what differs in a cloud's. */
function shortened(name: string, room: number): string {
  if (name.length <= room) return name
  const end = Math.floor((room - 1) / 2)
  return `${name.slice(0, room - 1 - end)}…${name.slice(-end)}`
}
