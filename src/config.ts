/**
 * The only reader of the environment. Everything that is wrong with it is reported at once, before anything starts;
 * what comes out is frozen, parsed and typed.
 */
import { assemble } from "./config/assemble.ts"
import { type Environment, unknownNames } from "./config/environment.ts"
import { setInVain } from "./config/later.ts"
import { Reader } from "./config/reader.ts"
import { hubSettings } from "./config/settings.ts"
import type { Config, ConfigError, ConfigWarning } from "./config/shape.ts"
import { STREAM_AGE_MS } from "./domain/jetstream.ts"
import { Secret } from "./domain/secret.ts"

export { missingChannelCredentials } from "./config/channel-credentials.ts"
export { environmentFile } from "./config/env-file.ts"
export type { Environment } from "./config/environment.ts"
export { type FreshSecrets, freshSecrets } from "./config/fresh-secrets.ts"
export { type SettingRow, settingsTable } from "./config/settings.ts"
export type { Config, ConfigError, ConfigWarning } from "./config/shape.ts"

/** Narrow with `if (loaded.errors)`. Warnings come with both. `draft` is what could be read: to be asked, not to be run. */
export type Loaded =
  | { readonly ok: Config; readonly errors?: never; readonly warnings: readonly ConfigWarning[] }
  | {
      readonly ok?: never
      readonly errors: readonly ConfigError[]
      readonly draft: Config
      readonly warnings: readonly ConfigWarning[]
    }

/** HS256 asks for a key as long as its hash; a shorter one still works, so an ERP that has one is not locked out. */
const leastJwtSecretBytes = 32

/** Reads every setting. `terminal`: whether the log goes to one, which decides the default of LOG_FORMAT. */
export function loadConfig(env: Environment = process.env, terminal: boolean = process.stderr.isTTY === true): Loaded {
  const reader = new Reader(env)
  const config = assemble(reader, terminal)
  const warnings = [...unknownNames(env), ...weaknesses(config), ...setInVain(env)]
  return reader.errors.length > 0
    ? { errors: reader.errors, draft: config, warnings }
    : { ok: deepFreeze(config), warnings }
}

/** The rules' folders alone: whoever checks rules need not have, and should not make, the settings of a hub. */
export function loadRulesFolders(env: Environment): Pick<Config, "rulesDir" | "templatesDir"> {
  const reader = new Reader(env)
  return { rulesDir: reader.defaulted(hubSettings.rulesDir), templatesDir: reader.defaulted(hubSettings.templatesDir) }
}

/** One line, for whoever starts the hub. */
export function explainConfigError({ name, expected, got }: ConfigError): string {
  return `${name}: expected ${expected}; got ${got}`
}

function weaknesses(config: Config): readonly ConfigWarning[] {
  const warnings: ConfigWarning[] = []
  const { secret } = config.jwt
  if (secret !== null && Buffer.byteLength(secret.reveal()) < leastJwtSecretBytes)
    warnings.push({
      name: "JWT_SECRET",
      problem: `is shorter than ${leastJwtSecretBytes} bytes: tokens signed with it can be forged by guessing`,
    })
  if (config.natsUrl !== null && config.retention.eventsMs < STREAM_AGE_MS)
    warnings.push({
      name: "HUB_RETENTION",
      problem: `forgets events, and their keys, sooner than JetStream its messages (${STREAM_AGE_MS / 86_400_000}d): one that is brought again after that is a second event`,
    })
  return warnings
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null && !(part instanceof Secret)) deepFreeze(part)
  }
  return Object.freeze(value)
}
