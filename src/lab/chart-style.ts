/** Own ground and ink, so that a chart reads on any page; where the reader prefers dark, dark ones. */
const STYLE = `
.rayito-chart .ground{fill:#fff}.rayito-chart text{fill:#1f2328;font:15px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}
.rayito-chart .name{font-weight:600}.rayito-chart .small{font-size:13px}.rayito-chart .soft{fill:#59636e;font-size:13px}.rayito-chart .in{fill:#fff;font-size:13px}
.rayito-chart .axis{stroke:#c8cfd6}.rayito-chart .grid{stroke:#e4e8ec}.rayito-chart .mark{stroke:#59636e;stroke-dasharray:3 3}
.rayito-chart .load{fill:#6b6f76}.rayito-chart .move{fill:#b3402f}.rayito-chart .infer{fill:#2a6db0}.rayito-chart .read{fill:#5fbf8f}.rayito-chart .wait{fill:#edf0f3}
.rayito-chart .line{fill:none;stroke-width:2}.rayito-chart .A{stroke:#59636e}.rayito-chart .B{stroke:#2a6db0}.rayito-chart .C1{stroke:#b3402f}.rayito-chart .C2{stroke:#8a6d1f}
.rayito-chart .dot{fill:#fff}.rayito-chart .middle{stroke:#1f2328}
@media (prefers-color-scheme:dark){.rayito-chart .ground{fill:#14171b}.rayito-chart text{fill:#dde3ea}.rayito-chart .soft{fill:#98a3b0}
.rayito-chart .in{fill:#fff}.rayito-chart .axis{stroke:#3a434e}.rayito-chart .grid{stroke:#272d35}.rayito-chart .mark{stroke:#98a3b0}
.rayito-chart .load{fill:#6e7681}.rayito-chart .move{fill:#c9503d}.rayito-chart .infer{fill:#3478bd}.rayito-chart .read{fill:#5fbf8f}.rayito-chart .wait{fill:#22272e}
.rayito-chart .A{stroke:#98a3b0}.rayito-chart .B{stroke:#4a8fd4}.rayito-chart .C1{stroke:#d9604d}.rayito-chart .C2{stroke:#b8922c}
.rayito-chart .dot{fill:#14171b}.rayito-chart .middle{stroke:#dde3ea}}`

/** A chart of the laboratory as SVG. `spoken` says what it shows to whoever cannot see it. */
export function chart(width: number, height: number, spoken: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" class="rayito-chart" role="img" aria-label="${spoken}" viewBox="0 0 ${width} ${height}" width="${width}" style="max-width:100%;height:auto">
<style>${STYLE}</style>
<rect class="ground" width="${width}" height="${height}" rx="6"/>
${parts.join('\n')}
</svg>`
}

/** A coordinate with no more digits than can be seen. */
export function fixed(value: number): string {
  return String(Math.round(value * 10) / 10)
}

/** What an area stands for: a square of its colour and its name, one beside the other from `x` on. */
export function legend(
  x: number,
  y: number,
  entries: readonly { name: string; className: string }[],
  step: number,
): string {
  return entries
    .map(({ name, className }, i) => {
      const at = x + i * step
      return `<rect class="${className}" x="${fixed(at)}" y="${y}" width="14" height="14" rx="2"/><text class="soft" x="${fixed(at + 20)}" y="${y + 12}">${name}</text>`
    })
    .join('')
}

/** Round values from 0 to `most`, about `count` of them. */
export function ticks(most: number, count = 6): number[] {
  const rough = most / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5].find((nice) => nice * power >= rough) ?? 10)
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)))
}
