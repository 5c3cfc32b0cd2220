import type { Image } from './image/image.js'

/** What a row of a data set of pictures holds. Name other columns by giving loadDataset your own type. */
export interface ImageRow {
  image: Image
  label: number
  [column: string]: unknown
}

/** A function from a row (and its index) to the columns it adds or replaces. */
export type RowFunction<In, Out> = (row: In, index: number) => Out | Promise<Out>

/** A function that says of a row (and its index) whether it stays. */
export type RowPredicate<Row> = (row: Row, index: number) => unknown

/** A row with the columns of `Out` added or replaced. */
export type Mapped<Row, Out> = { [Name in keyof Row as Name extends keyof Out ? never : Name]: Row[Name] } & Out

/** A row without these columns. */
export type Without<Row, Removed> = { [Name in keyof Row as Name extends Removed ? never : Name]: Row[Name] }

/** A row whose column `From` is called `To`. */
export type Renamed<Row, From, To extends string> = {
  [Name in keyof Row as Name extends From ? To : Name]: Row[Name]
}
