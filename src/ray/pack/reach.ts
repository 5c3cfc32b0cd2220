let leaving = false

/** Whether what is packed from now on goes to other processes, where some things are worth nothing. */
export function setLeaving(on: boolean): void {
  leaving = on
}

export const isLeaving = (): boolean => leaving
