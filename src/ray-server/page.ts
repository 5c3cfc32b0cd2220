/** STAND-IN, replaced by the branch that brings the page. */
export function page(): string {
  return '<!doctype html><title>What is it?</title><p>The page comes with another branch.'
}
