import { InvalidArgumentError } from 'commander'

/** The value of an option that is a port; 0 stands for a free one. */
export function port(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('Expected a port from 0 to 65535.')
  return value
}
