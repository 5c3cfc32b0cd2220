/** Symbol.iterator and the like, as '@@iterator'. */
const wellKnown = new Map(
  Object.getOwnPropertyNames(Symbol).flatMap((name) => {
    const value: unknown = Object.getOwnPropertyDescriptor(Symbol, name)?.value
    return typeof value === 'symbol' ? [[value, `@@${name}`] as const] : []
  }),
)

/** By what all threads know a symbol: the key it is registered by, or its name in the language. */
export function symbolKey(symbol: symbol): string | undefined {
  return Symbol.keyFor(symbol) ?? wellKnown.get(symbol)
}

/** The symbol of that key; without one, a new symbol. */
export function makeSymbol(key: string | undefined, description: string | undefined): symbol {
  if (key === undefined) return Symbol(description)
  for (const [symbol, name] of wellKnown) if (name === key) return symbol
  return Symbol.for(key)
}
