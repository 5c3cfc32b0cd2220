// PLACEHOLDER, only until the real file of branch `travel` lands: on a rebase conflict take the whole file from `travel`.
export function makeActorPool(_: unknown): any {
  return class {}
}
