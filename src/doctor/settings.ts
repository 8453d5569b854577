/** The settings, the data folder, and the rules that they name: what needs nobody else to answer. */
import { access, constants, mkdir, statfs } from "node:fs/promises"
import {
  type Config,
  type ConfigError,
  type ConfigWarning,
  explainConfigError,
  missingChannelCredentials,
} from "../config.ts"
import { foldersOf, loadRuleSet } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import { channelsOf } from "../routing/rule-set.ts"
import type { Clock } from "../runtime/clock.ts"
import { describeError } from "../telemetry/scrub.ts"
import { type Check, type Finding, fail, ok, warn } from "./check.ts"

/** Everything that is wrong with them, and everything that is set in vain. */
export const settingsCheck = (
  errors: readonly ConfigError[],
  warnings: readonly ConfigWarning[],
  config: Config,
): Check => ({
  name: "settings",
  async run() {
    const findings: Finding[] = [
      ...errors.map((error) => fail("settings", explainConfigError(error), `set ${error.name}`)),
      ...warnings.map(({ name, problem }) => warn("settings", `${name} ${problem}`, `see to ${name}, or unset it`)),
    ]
    const made = config.generated.length === 0 ? "" : `; made up and kept: ${config.generated.join(", ")}`
    if (errors.length === 0) findings.unshift(ok("settings", `${config.nodeEnv}${made}`))
    return { findings }
  },
})

const LEAST_FREE = 1_073_741_824

export const dataDirCheck = ({ dataDir, databaseUrl, production }: Config): Check => ({
  name: "data folder",
  async run() {
    // Production with a database of its own keeps nothing there.
    if (production && databaseUrl !== null) return { findings: [ok("data folder", "not used")] }
    try {
      await mkdir(dataDir, { recursive: true })
      await access(dataDir, constants.R_OK | constants.W_OK)
    } catch (error) {
      return {
        findings: [fail("data folder", describeError(error), "set HUB_DATA_DIR to a folder that may be written")],
      }
    }
    const { bavail, bsize } = await statfs(dataDir)
    const free = bavail * bsize
    const room = `${(free / LEAST_FREE).toFixed(1)} GiB are free`
    return {
      findings: [
        free >= LEAST_FREE || databaseUrl !== null
          ? ok("data folder", room)
          : warn("data folder", room, "make room: the embedded database lives there"),
      ],
    }
  },
})

const SHOWN_ERRORS = 10

export const rulesCheck = (config: Config, clock: Clock): Check => ({
  name: "rules",
  async run() {
    if (config.rulesGit !== null) {
      return {
        findings: [
          ok("rules", `those of the branch ${config.rulesGit.branch} of HUB_RULES_GIT_URL: not looked at here`),
        ],
      }
    }
    const loaded = await loadRuleSet(foldersOf(config), clock.wall().getTime())
    if ("errors" in loaded) {
      const shown = loaded.errors
        .slice(0, SHOWN_ERRORS)
        .map((error) => fail("rules", explainRuleError(error), "mend it there"))
      const more = loaded.errors.length - shown.length
      const rest = more > 0 ? [fail("rules", `and ${more} more errors`, "hub rules check shows them all")] : []
      return { findings: [...shown, ...rest] }
    }
    const { rules, sources, templates, revision } = loaded.ok
    const counts = `${rules.length} rules, ${sources.length} sources, ${templates.names.length} templates`
    const missing = config.production ? missingChannelCredentials(config, channelsOf(loaded.ok)) : []
    return {
      findings: [
        ok("rules", `${counts}, revision ${revision}`),
        ...missing.map((error) => fail("rules", explainConfigError(error), `set ${error.name}`)),
      ],
    }
  },
})
