/** Types in words, so that a test can hold them against an OpenAPI document: the compiler keeps the words true. */

/** A type in words: `string|null`, in the order of the letters; a date is sent as a string. */
export type Words<T> = Join<
  [
    Has<T, readonly unknown[], "array">,
    Has<T, boolean, "boolean">,
    null extends T ? "null" : "",
    Has<T, number, "number">,
    [Exclude<T, undefined | null | string | number | boolean | readonly unknown[] | Date>] extends [never]
      ? ""
      : "object",
    Has<T, string | Date, "string">,
  ]
>
type Has<T, Part, Word extends string> = [Extract<T, Part>] extends [never] ? "" : Word
type Join<Parts extends readonly string[]> = Parts extends readonly [
  infer First extends string,
  ...infer Rest extends readonly string[],
]
  ? First extends ""
    ? Join<Rest>
    : Join<Rest> extends ""
      ? First
      : `${First}|${Join<Rest>}`
  : ""

/** Every field of the type and no other, with what it holds. */
export type Fields<T> = { readonly [Key in keyof T]-?: Words<T[Key]> }
/** Every word of a union and no other. */
export type All<Word extends string> = { readonly [Each in Word]: true }
/** The fields that must be given. */
export type Required<T> = { readonly [Key in keyof T as undefined extends T[Key] ? never : Key]-?: true }

export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly string[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
}
interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
}

/** What a test asks of an OpenAPI document. */
export interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  /** The schema at `Event/properties/type`. Throws where there is none. */
  schema(pointer: string): Schema
}

/** Reads a document that is known to be valid. */
export function readDescription(document: unknown): Described {
  const { paths, components } = document as { paths: Described["paths"]; components: { schemas: object } } // valid OpenAPI
  return {
    paths,
    schema(pointer) {
      let at: unknown = components.schemas
      for (const step of pointer.split("/"))
        at = typeof at === "object" && at !== null ? Reflect.get(at, step) : undefined
      if (typeof at !== "object" || at === null) throw new Error(`nothing is described as ${pointer}`)
      return at
    },
  }
}

/** What a described field holds, in the words of `Words`. */
export function wordsOf(schema: Schema): string {
  const types = schema.$ref !== undefined ? ["object"] : schema.enum !== undefined ? ["string"] : [schema.type ?? []]
  const words = types.flat().map((word) => (word === "integer" ? "number" : word))
  return [...new Set(words)].toSorted().join("|")
}
