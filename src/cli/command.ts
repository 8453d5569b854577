/**
 * What a command of `hub <noun> <verb>` is: it gets its arguments, writes lines, and answers with an exit code
 * (0 fine, 1 found something, 2 misuse). Nothing here reads or writes anything by itself, so tests call it as it is.
 */
import { parseArgs } from "node:util"
import { type Config, explainConfigError, loadConfig } from "../config.ts"
import { nearest } from "../domain/nearest.ts"

export type ExitCode = 0 | 1 | 2

export interface Terminal {
  /** A line of the answer. */
  out(line: string): void
  /** A line about the answer: problems, progress. */
  err(line: string): void
  /** A line that the next one takes the place of; null: it goes. Only where somebody is looking on. */
  progress?(line: string | null): void
}

export interface Invocation extends Terminal {
  /** What stands after noun and verb. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Command {
  /** `keys create`, or one word. */
  readonly name: string
  /** What stands after the name in the usage line. */
  readonly usage: string
  readonly summary: string
  run(invocation: Invocation): Promise<ExitCode>
}

/** The command was called wrongly, or cannot work here: one line for the user, exit code 2. */
export class Misuse extends Error {
  override readonly name = "Misuse"
}

/** The settings, or every mistake in them at once. Throws Misuse. */
export function settings(invocation: Invocation): Config {
  const loaded = loadConfig(invocation.env)
  if (loaded.errors) throw new Misuse(loaded.errors.map(explainConfigError).join("\n"))
  return loaded.ok
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>["options"]

/** Parses flags strictly. Throws Misuse naming what is not known. `--json` is always taken. */
export function flags<const O extends NonNullable<Options>>(invocation: Invocation, options: O, positionals: number) {
  try {
    const all = { ...options, json: { type: "boolean", default: false } } as const
    const parsed = parseArgs({ args: [...invocation.args], options: all, strict: true, allowPositionals: true })
    if (parsed.positionals.length > positionals) {
      throw new Misuse(`unexpected argument: ${parsed.positionals[positionals] ?? ""}`)
    }
    return parsed
  } catch (error) {
    if (error instanceof Misuse) throw error
    const unknown = unknownOption(error)
    if (unknown !== null) {
      const known = [...Object.keys(options), "json"].map((name) => `--${name}`)
      const right = nearest(unknown, known)
      throw new Misuse(
        `unknown option ${unknown}: ${right === null ? `expected ${known.join(", ")}` : `did you mean ${right}?`}`,
      )
    }
    throw new Misuse(error instanceof Error ? error.message : String(error))
  }
}

/** Node's own sentence for it tells how to pass a file that begins with a dash, which nobody meant. */
function unknownOption(error: unknown): string | null {
  if (!(error instanceof Error && "code" in error && error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION")) return null
  return /'(-[^']*)'/.exec(error.message)?.[1] ?? null
}
