/**
 * A value that must never be printed. Credentials travel through the hub as `Secret`, so that a log line, a JSON body,
 * an error message or a debugger's dump shows «redacted», and reading one is a visible act: `.reveal()`.
 */
const redacted = "«redacted»"

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
    Object.freeze(this)
  }

  /** The value itself. Call it at the edge, where the credential is used, and keep the result in no variable that lives. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [Symbol.toPrimitive](): string {
    return redacted
  }

  /** What `console.log` and `util.inspect` ask for, in Node and in Bun. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return redacted
  }
}
