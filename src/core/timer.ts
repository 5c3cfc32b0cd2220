/** Milliseconds as timers and servers take them: whole ones, and no more than these, or they would mean one. */
const LONGEST = 2 ** 31 - 1
export const timerTime = (milliseconds: number): number => Math.min(Math.ceil(milliseconds), LONGEST)
