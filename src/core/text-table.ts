/** Rows of cells as text, the heads first: the first column to the left, numbers under each other. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}

/** The same as HTML. */
export function htmlTable([heads, ...rows]: readonly (readonly string[])[]): string {
  const row = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell, i) => `<${tag} style="text-align:${i === 0 ? 'left' : 'right'}">${escaped(cell)}</${tag}>`).join('')}</tr>`
  return `<table><thead>${row('th', heads!)}</thead><tbody>${rows.map((cells) => row('td', cells)).join('')}</tbody></table>`
}

/** Text as it may stand in HTML and SVG. */
export const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
