/** Takes settings one by one and remembers all that is wrong, so that an operator mends everything in one go. */
import { Secret } from "../domain/secret.ts"
import { type Environment, find } from "./environment.ts"
import { type FreshSecrets, freshNames, keptSecrets } from "./fresh-secrets.ts"
import type { DefaultedSetting, Setting } from "./settings.ts"
import { channelSettings as channels, hubSettings as hub } from "./settings.ts"
import type { ConfigError } from "./shape.ts"

export class Reader {
  readonly errors: ConfigError[] = []
  readonly generated: string[] = []
  readonly #env: Environment
  #kept: FreshSecrets | null = null

  constructor(env: Environment) {
    this.#env = env
  }

  /** null when not set, and when malformed (the error is kept; the config will not be used). */
  optional<T>(setting: Setting<T>): T | null {
    const found = find(this.#env, setting) ?? this.#made(setting.name)
    if (found === null) return null
    if ("error" in found) {
      this.errors.push(found.error)
      return null
    }
    const parsed = setting.parse(found.text)
    if ("value" in parsed) return parsed.value
    const got = setting.secret ? `a value of ${found.text.length} characters` : quoted(found.text)
    this.errors.push({ name: found.from, expected: parsed.expected, got })
    return null
  }

  defaulted<T>(setting: DefaultedSetting<T>): T {
    const value = this.optional(setting)
    if (value !== null) return value
    const fallback = setting.parse(setting.fallback)
    if ("value" in fallback) return fallback.value
    throw new Error(`the default of ${setting.name} does not parse: expected ${fallback.expected}`)
  }

  isSet(setting: Setting<unknown>): boolean {
    return find(this.#env, setting) !== null
  }

  missing(name: string, expected: string): void {
    this.errors.push({ name, expected, got: "nothing" })
  }

  /** From here on, what development may make up counts as set. */
  useKept(dataDir: string): void {
    const kept = keptSecrets(dataDir)
    if ("secrets" in kept) this.#kept = kept.secrets
    else
      this.errors.push({
        name: hub.dataDir.name,
        expected: "a folder to keep generated secrets in",
        got: kept.unusable,
      })
  }

  #made(settingName: string): { text: string; from: string } | null {
    const name = freshNames.find((candidate) => candidate === settingName)
    if (name === undefined || this.#kept === null) return null
    // Half of the operator's pair must not be completed with half of ours.
    if (name.startsWith("VAPID_") && (this.isSet(channels.vapidPublicKey) || this.isSet(channels.vapidPrivateKey)))
      return null
    this.generated.push(name)
    return { text: this.#kept[name], from: `${name} (kept in the data folder)` }
  }

  /** All `OTEL_*` variables as they are. */
  openTelemetry(): Readonly<Record<string, Secret>> {
    const entries = Object.entries(this.#env).filter(([name, value]) => name.startsWith("OTEL_") && value)
    return Object.fromEntries(entries.map(([name, value]) => [name, new Secret(value ?? "")]))
  }
}

function quoted(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 79)}…` : value)
}
