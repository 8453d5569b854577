/**
 * A condition with what each of its parts comes to, for whoever wants to see all of it and not only the part that decided.
 * By the same evaluation and in the same words as `explain`.
 */
import type { Json, JsonObject } from "../../domain/json.ts"
import { display, Explainer, isGuard, operation } from "./explain.ts"
import { type Budget, type Facts, LogicFailed } from "./logic.ts"

export interface Clause {
  /** `payload.days_overdue (3) >= 7`; `all of`, `any of` and `not` of what has parts. */
  readonly text: string
  /** Null: it cannot be computed for this event. */
  readonly holds: boolean | null
  /** It is one of those for which the condition came to what it came to. */
  readonly decides: boolean
  /** What it looks at, with the value there. Empty where it has parts. */
  readonly operands: readonly { readonly text: string; readonly value: string }[]
  readonly children: readonly Clause[]
}

/**
 * `verdict`: what the condition came to, where that is known. `budget`: shared with other trees. A part that cannot be
 * computed says so; this never throws.
 */
export function clauseTree(condition: Json, facts: Facts, now: number, verdict?: boolean, budget?: Budget): Clause {
  const tree = new Trees(new Explainer(facts, now, budget)).of(condition, true)
  return verdict === undefined ? tree : { ...tree, holds: verdict }
}

/** As JSON answers have it. */
export const clauseJson = ({ text, holds, decides, operands, children }: Clause): JsonObject => ({
  text,
  holds,
  decides,
  operands: operands.map((operand) => ({ ...operand })),
  children: children.map(clauseJson),
})

const JOINS: Readonly<Record<string, string>> = { and: "all of", or: "any of", "!": "not", "!!": "is so" }

class Trees {
  readonly #explainer: Explainer
  constructor(explainer: Explainer) {
    this.#explainer = explainer
  }

  of(logic: Json, decides: boolean): Clause {
    const { operator, args } = operation(logic)
    const guarded = operator === "and" ? this.#guarded(args) : null
    if (guarded !== null) return this.of(guarded, decides)
    const holds = this.#tried(() => this.#explainer.holds(logic))
    const join = operator === null ? undefined : JOINS[operator]
    if (operator !== null && join !== undefined && args.some(hasClauses)) {
      return { text: join, holds, decides, operands: [], children: this.#children(operator, args, holds, decides) }
    }
    const text = this.#tried(() => this.#explainer.phrase(logic)) ?? "a part that cannot be computed for this event"
    return { text, holds, decides, operands: args.flatMap((arg) => this.#operand(arg)), children: [] }
  }

  /**
   * Of a comparison behind an `exists`, which is what a triple becomes: the part that says it all, and comes to what both
   * come to. Null: it is something else.
   */
  #guarded(args: readonly Json[]): Json | null {
    const [guard, compared, third] = args
    if (guard === undefined || compared === undefined || third !== undefined) return null
    if (!isGuard(guard) || isGuard(compared)) return null
    return this.#tried(() => this.#explainer.holds(guard)) === true ? compared : guard
  }

  #children(operator: string, args: readonly Json[], holds: boolean | null, decides: boolean): readonly Clause[] {
    const parts = args.map((arg) => this.of(arg, decides))
    if (operator !== "and" && operator !== "or") return parts
    // One that fails is enough for an `and`, one that holds for an `or`: the first, as it is evaluated.
    const alone = holds === (operator === "or")
    const deciding = alone ? parts.findIndex((part) => part.holds === holds) : -1
    return parts.map((part, i) => (alone && i !== deciding ? undecided(part) : part))
  }

  #operand(logic: Json): Clause["operands"] {
    const { operator, args } = operation(logic)
    if (operator === null) return []
    const [path] = args
    const text = operator === "var" && typeof path === "string" && path !== "" ? path : null
    const value = this.#tried(() => this.#explainer.value(logic))
    if (text !== null) return [{ text, value: value === null || value === undefined ? "missing" : display(value) }]
    return args.flatMap((arg) => this.#operand(arg))
  }

  #tried<T>(work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      if (error instanceof LogicFailed) return null
      throw error
    }
  }
}

/** A single comparison behind a `!` reads better as one sentence. */
const hasClauses = (logic: Json): boolean => {
  const { operator } = operation(logic)
  return operator !== null && operator !== "var"
}

const undecided = (clause: Clause): Clause =>
  clause.decides ? { ...clause, decides: false, children: clause.children.map(undecided) } : clause
