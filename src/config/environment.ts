/**
 * From the raw environment to the text of each setting: names and older names, `NAME_FILE` twins of secrets, blanks
 * that mean "not set", and names that look like ours but are not.
 */
import { readFileSync } from "node:fs"
import { nearest } from "../domain/nearest.ts"
import type { Setting } from "./settings.ts"
import { settingsTable } from "./settings.ts"
import type { ConfigError, ConfigWarning } from "./shape.ts"

export type Environment = Readonly<Record<string, string | undefined>>

export type Found = { readonly text: string; readonly from: string } | { readonly error: ConfigError } | null

/** Of the test runner, of the command line tool and of compose.yaml: read elsewhere. */
const foreignNames = /^HUB_TEST_|^HUB_(URL|API_KEY|TOKEN|PORT)$/

/** The setting's text and the variable that gave it; null when it is not set. Two names at once must agree. */
export function find(env: Environment, setting: Setting<unknown>): Found {
  const names = [setting.name, ...setting.aliases]
  const given = names
    .flatMap((name) => (setting.secret ? [name, `${name}_FILE`] : [name]))
    .filter((name) => filled(env, name))
  const [first, second] = given
  if (first === undefined) return null
  if (
    second !== undefined &&
    !(given.length === 2 && filled(env, first) === filled(env, second) && !isFile(setting, second))
  )
    return { error: { name: setting.name, expected: `only one of ${given.join(" and ")}`, got: "all of them" } }
  const value = filled(env, first) ?? ""
  return isFile(setting, first) ? fromFile(first, value) : { text: value, from: first }
}

function isFile(setting: Setting<unknown>, name: string): boolean {
  return name !== setting.name && !setting.aliases.includes(name)
}

function fromFile(name: string, path: string): Found {
  try {
    const content = readFileSync(path, "utf8").trim()
    if (content !== "") return { text: content, from: name }
    return { error: { name, expected: "the path of a file with the secret in it", got: "an empty file" } }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    return { error: { name, expected: "the path of a readable file", got: `${JSON.stringify(path)} (${code})` } }
  }
}

function filled(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === "" ? undefined : value
}

/** `HUB_…` variables that are no setting, each with the nearest right name. They would be ignored in silence. */
export function unknownNames(env: Environment): readonly ConfigWarning[] {
  const table = settingsTable()
  const known = table.flatMap(({ name, aliases, secret }) =>
    [name, ...aliases].flatMap((each) => (secret ? [each, `${each}_FILE`] : [each])),
  )
  return Object.keys(env)
    .filter((name) => name.startsWith("HUB_") && filled(env, name) !== undefined)
    .filter((name) => !known.includes(name) && !foreignNames.test(name))
    .sort()
    .map((name) => {
      const right = nearest(name, known)
      return {
        name,
        problem: `is no setting of the hub and is ignored${right === null ? "" : `; did you mean ${right}?`}`,
      }
    })
}
