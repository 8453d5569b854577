/** The short form of a fault, as a test: its figures are printed, and each keeps its bound. */
import { expect, test } from "bun:test"
import { type Fault, inWords, kept } from "./fault.ts"
import type { Mutant } from "./mutants.ts"

const DEADLINE_MS = 300_000

export const shows = (fault: Fault, promise: string): void =>
  test(
    `${fault.number}: ${promise}`,
    async () => {
      const figures = await fault.run("short")
      console.log(`${fault.number} ${fault.name}: ${fault.injected("short")}: ${figures.map(inWords).join(", ")}`)
      expect(figures.filter((figure) => !kept(figure)).map(inWords)).toEqual([])
    },
    DEADLINE_MS,
  )

/** A hub with the mutant's bug breaks these bounds of the fault; `broken` names them. */
export const catches = (fault: Fault, mutant: Mutant, broken: readonly string[]): void =>
  test(
    `${fault.number} says no to "${mutant.name}"`,
    async () => {
      const figures = await fault.run("short", mutant)
      const found = figures.filter((figure) => !kept(figure))
      console.log(`${mutant.name}, caught by ${fault.number} ${fault.name}: ${found.map(inWords).join(", ")}`)
      expect(found.map(({ what }) => what)).toEqual(expect.arrayContaining([...broken]))
    },
    DEADLINE_MS,
  )
