/** Which actor it is; the driver's Actor is one. */
export interface ActorIdentity {
  readonly id: string
  readonly className: string
  readonly label: string
  /** Names of the methods that are generators. */
  readonly generators: readonly string[]
}

/** Which actor it is, and no more of it. */
export function identityOf({ id, className, label, generators }: ActorIdentity): ActorIdentity {
  return { id, className, label, generators }
}
