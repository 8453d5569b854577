/** The only reader of the environment. Everything wrong with it is reported at once, before anything starts. */
import type { Config, ConfigError, ConfigWarning } from "./config/shape.ts"

export type { Config, ConfigError, ConfigWarning } from "./config/shape.ts"

export type Loaded =
  | { readonly ok: Config; readonly errors?: never; readonly warnings: readonly ConfigWarning[] }
  | { readonly ok?: never; readonly errors: readonly ConfigError[]; readonly warnings: readonly ConfigWarning[] }
