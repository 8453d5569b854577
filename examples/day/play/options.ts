// What the command line and the environment say about how to play the day.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"

export type Options = {
  url: string
  key: string
  /** How many times faster than the clock; null: as fast as the hub answers. */
  speed: number | null
  concurrency: number
  /** How long to wait for the hub to finish its work, in milliseconds. */
  patience: number
  /** How many events' traces to read; null: all. */
  traces: number | null
}

export const usage = `npm run day -- [options]
  --url URL          the hub (http://localhost:4000)
  --key KEY          an admin key of all businesses (HUB_API_KEY, else the development key in HUB_DATA_DIR)
  --speed N|max      times faster than the clock (600: the day in under two minutes)
  --concurrency N    requests at once (16)
  --wait SECONDS     how long the hub may take to finish after the last event (120)
  --traces N|all     events whose explanation is read (all)`

/** A sentence for whoever typed the command. */
export type Misuse = { misuse: string }

const positive = (text: string): number | null => {
  const number = Number(text)
  return Number.isFinite(number) && number > 0 ? number : null
}

/** The key that `npm start` made for development, if it is there: the first of scope admin that is not confined. */
function developmentKey(dataDir: string): string | null {
  try {
    const secrets: unknown = JSON.parse(readFileSync(join(dataDir, "secrets.json"), "utf8"))
    if (typeof secrets !== "object" || secrets === null || !("HUB_API_KEYS" in secrets)) return null
    const entries = String(secrets.HUB_API_KEYS).split(",")
    return (
      entries
        .find((entry) => entry.trim().endsWith(":admin"))
        ?.trim()
        .replace(/:admin$/, "") ?? null
    )
  } catch {
    return null // not there, or not ours to read: the caller says what to do
  }
}

export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options | Misuse {
  let values: Record<string, string | undefined>
  try {
    const text = { type: "string" } as const
    const options = { url: text, key: text, speed: text, concurrency: text, wait: text, traces: text }
    values = parseArgs({ args: [...args], options }).values
  } catch (error) {
    return { misuse: `${error instanceof Error ? error.message : String(error)}\n\n${usage}` }
  }
  const numbers = {
    speed: values["speed"] === "max" ? null : positive(values["speed"] ?? "600"),
    concurrency: positive(values["concurrency"] ?? "16"),
    wait: positive(values["wait"] ?? "120"),
    traces: (values["traces"] ?? "all") === "all" ? null : positive(values["traces"] ?? "all"),
  }
  if (numbers.speed === null && values["speed"] !== "max")
    return { misuse: `--speed takes a number or max\n\n${usage}` }
  if (numbers.traces === null && (values["traces"] ?? "all") !== "all")
    return { misuse: `--traces takes a number or all\n\n${usage}` }
  if (numbers.concurrency === null || numbers.wait === null)
    return { misuse: `--concurrency and --wait take numbers above 0\n\n${usage}` }
  const key = values["key"] ?? env["HUB_API_KEY"] ?? developmentKey(env["HUB_DATA_DIR"] ?? ".data")
  if (key === null || key === "")
    return {
      misuse: "no key: pass --key or set HUB_API_KEY to an admin key of the hub (npm start prints and keeps one)",
    }
  return {
    url: (values["url"] ?? "http://localhost:4000").replace(/\/+$/, ""),
    key,
    speed: numbers.speed,
    concurrency: Math.ceil(numbers.concurrency),
    patience: numbers.wait * 1000,
    traces: numbers.traces,
  }
}
