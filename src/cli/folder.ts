import { InvalidArgumentError } from 'commander'

/** The value of an option that is a folder: an empty one, as of a variable of the shell that is not set, would be the current folder. */
export function folder(text: string): string {
  if (!text) throw new InvalidArgumentError('Expected a folder.')
  return text
}
