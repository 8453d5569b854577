/**
 * Settings that are read and checked, and that this version does not act on yet. Whoever sets one is told so at every
 * start: a limit that is believed in and not held is worse than none. Whoever builds one deletes its line.
 */
import type { Environment } from "./environment.ts"
import type { ConfigWarning } from "./shape.ts"

const NOT_YET: Readonly<Record<string, string>> = {
  HUB_ENCRYPTION_KEYS: "is kept for later: this version does not encrypt at rest yet",
  OTEL_EXPORTER_OTLP_ENDPOINT: "is not used by this version yet: no traces are sent",
  AI_AGENT_HTTP_URL: "is not used by this version yet",
}

/** What of the environment is set in vain, directly or by its `_FILE` twin. */
export const setInVain = (env: Environment): readonly ConfigWarning[] =>
  Object.entries(NOT_YET).flatMap(([name, problem]) =>
    [name, `${name}_FILE`].some((given) => (env[given] ?? "") !== "") ? [{ name, problem }] : [],
  )
