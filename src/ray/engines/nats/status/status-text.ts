import { plural } from '../../../../core/format.js'
import type { ClusterStatus } from './cluster-status.js'

/** A cluster's state as a table of its nodes and a line of sums. */
export function statusText({ nodes, drivers, running, waiting }: ClusterStatus): string {
  const rows = nodes.map((node) => [
    node.name,
    `${round(node.cpus - node.available)} of ${node.cpus}`,
    `${node.tasks}`,
    `${node.actors}`,
    `${node.objects}`,
    `${node.memoryMB} MB`,
    node.draining ? 'leaves' : '',
  ])
  const table = [['node', 'CPUs busy', 'running', 'actors', 'objects', 'memory', ''], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
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
