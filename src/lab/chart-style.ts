/** Own ground and ink, so that a chart reads on any page; where the reader prefers dark, dark ones. */
const STYLE = `
.rayito-chart .ground{fill:#fff}.rayito-chart text{fill:#1f2328;font:15px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}
.rayito-chart .name{font-weight:600}.rayito-chart .soft{fill:#59636e;font-size:13px}.rayito-chart .in{fill:#fff;font-size:13px}
.rayito-chart .axis{stroke:#c8cfd6}.rayito-chart .load{fill:#8a6d1f}.rayito-chart .move{fill:#b3402f}.rayito-chart .infer{fill:#2a6db0}
.rayito-chart .middle{stroke:#1f2328}
@media (prefers-color-scheme:dark){.rayito-chart .ground{fill:#14171b}.rayito-chart text{fill:#dde3ea}.rayito-chart .soft{fill:#98a3b0}
.rayito-chart .in{fill:#fff}.rayito-chart .axis{stroke:#3a434e}.rayito-chart .load{fill:#9a7a22}.rayito-chart .move{fill:#c9503d}.rayito-chart .infer{fill:#3478bd}
.rayito-chart .middle{stroke:#dde3ea}}`

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
