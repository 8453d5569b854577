/** JSONLogic's own operators, as far as rules may use them. No `log`: it prints what events hold. */
export interface StandardOperator {
  readonly doc: string
  /** Least and most arguments. */
  readonly arity: readonly [number, number]
}

const MANY = 100

export const STANDARD: Readonly<Record<string, StandardOperator>> = {
  var: { doc: "The value at a path; null, or the second argument, where there is none.", arity: [1, 2] },
  missing: { doc: "Those of the paths at which there is nothing.", arity: [1, MANY] },
  missing_some: { doc: "Nothing where so many of the paths have a value, else those that have none.", arity: [2, 2] },
  if: { doc: "The second where the first is true, else the third; more pairs may follow.", arity: [2, MANY] },
  "?:": { doc: "The same as `if`.", arity: [2, MANY] },
  "==": { doc: "Equal; a text of digits equals its number.", arity: [2, 2] },
  "===": { doc: "Equal, and of the same kind.", arity: [2, 2] },
  "!=": { doc: "Not equal. True where the value is missing.", arity: [2, 2] },
  "!==": { doc: "Not equal, or not of the same kind.", arity: [2, 2] },
  "!": { doc: "True where the argument is not. An empty list is false.", arity: [1, 1] },
  "!!": { doc: "True where the argument is.", arity: [1, 1] },
  or: { doc: "The first argument that is true, else the last.", arity: [1, MANY] },
  and: { doc: "The first argument that is false, else the last.", arity: [1, MANY] },
  ">": { doc: "Greater.", arity: [2, 2] },
  ">=": { doc: "Greater or equal.", arity: [2, 2] },
  "<": { doc: "Smaller; with three, between. A missing value is smaller than any positive number.", arity: [2, 3] },
  "<=": { doc: "Smaller or equal; with three, between, ends included.", arity: [2, 3] },
  max: { doc: "The greatest.", arity: [1, MANY] },
  min: { doc: "The smallest.", arity: [1, MANY] },
  "+": { doc: "The sum.", arity: [1, MANY] },
  "-": { doc: "The difference; of one, its negative.", arity: [1, 2] },
  "*": { doc: "The product.", arity: [1, MANY] },
  "/": { doc: "The quotient.", arity: [2, 2] },
  "%": { doc: "The remainder.", arity: [2, 2] },
  map: { doc: 'What becomes of each item of a list. `var: ""` is the item.', arity: [2, 2] },
  filter: { doc: "Those items of a list for which the second is true.", arity: [2, 2] },
  reduce: { doc: "One value of a list: `current` and `accumulator`, from the third argument on.", arity: [2, 3] },
  all: { doc: "True where it is of all items; false for an empty list.", arity: [2, 2] },
  none: { doc: "True where it is of no item.", arity: [2, 2] },
  some: { doc: "True where it is of an item.", arity: [2, 2] },
  merge: { doc: "Lists as one.", arity: [1, MANY] },
  in: { doc: "True where the first is in the second: an item of a list, or a part of a text.", arity: [2, 2] },
  cat: { doc: "Texts as one.", arity: [1, MANY] },
  substr: { doc: "Part of a text: from, and how many.", arity: [2, 3] },
}
