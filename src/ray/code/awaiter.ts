import type { CallExpression } from 'acorn'

/** Whether a call is TypeScript's `__awaiter(this, …)` of an async function that was compiled, and has no use for `this`. */
export function handsOnThis({ callee, arguments: [that, ...rest] }: CallExpression): boolean {
  const name = callee.type === 'MemberExpression' ? callee.property : callee
  return (
    name.type === 'Identifier' && name.name === '__awaiter' && that?.type === 'ThisExpression' && !rest.some(usesThis)
  )
}

function usesThis(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false
  return (node as { type?: unknown }).type === 'ThisExpression' || Object.values(node).some(usesThis)
}
