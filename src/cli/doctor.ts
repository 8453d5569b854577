/** `hub doctor`: what is wrong with this hub's surroundings, and what to do about it, without sending anything to anybody. */
import { type ConfigError, loadConfig } from "../config.ts"
import { portCheck, publicUrlCheck } from "../doctor/address.ts"
import { type Check, clockFinding, examine, type Finding, type Status } from "../doctor/check.ts"
import { databaseCheck } from "../doctor/database.ts"
import { mailDomainCheck } from "../doctor/mail-domain.ts"
import { natsCheck } from "../doctor/nats.ts"
import { providerChecks } from "../doctor/providers.ts"
import { dataDirCheck, rulesCheck, settingsCheck } from "../doctor/settings.ts"
import { systemClock } from "../runtime/clock.ts"
import { type Command, flags } from "./command.ts"

const DEADLINE_MS = 15_000

export interface DoctorOptions {
  /** Name servers to ask, `127.0.0.1:5353`; the machine's own where they are left out. */
  readonly nameServers?: readonly string[]
  readonly deadlineMs?: number
}

export const doctorWith = ({ nameServers, deadlineMs = DEADLINE_MS }: DoctorOptions): Command => ({
  name: "doctor",
  usage: "[--json]",
  summary: "check settings, database, NATS, credentials, DNS and clock; sends nothing",
  async run(invocation) {
    const { values } = flags(invocation, {}, 0)
    const loaded = loadConfig(invocation.env)
    const errors = loaded.errors ?? []
    const config = loaded.ok ?? loaded.draft
    const clock = systemClock
    const wrong = (name: string): boolean => errors.some((error) => namesOf(error).includes(name))
    const checks: readonly Check[] = [
      settingsCheck(errors, loaded.warnings, config),
      dataDirCheck(config),
      // What a setting would say that cannot be read, its default does not.
      ...(wrong("DATABASE_URL") ? [] : [databaseCheck(config, clock)]),
      ...(wrong("NATS_URL") ? [] : [natsCheck(config)]),
      rulesCheck(config, clock),
      ...providerChecks(config, clock),
      mailDomainCheck(config, nameServers ?? null),
      ...(wrong("PORT") || wrong("HOST") ? [] : [portCheck(config)]),
      publicUrlCheck(config),
    ]
    const { findings, clocks = [] } = await examine(checks, clock, deadlineMs)
    const all = [...findings, clockFinding(clocks)]
    const status = worst(all)
    if (values.json) invocation.out(JSON.stringify({ status, checks: all }))
    else for (const line of linesOf(all)) invocation.out(line)
    return status === "ok" ? 0 : 1
  },
})

export const doctor = doctorWith({})

/** `A or B` and `NAME_FILE` are about their settings. */
const namesOf = ({ name }: ConfigError): readonly string[] =>
  name.split(/ or |, | /).map((word) => word.replace(/_FILE$/, ""))

function worst(findings: readonly Finding[]): Status {
  const statuses = findings.map(({ status }) => status)
  return statuses.includes("fail") ? "fail" : statuses.includes("warn") ? "warn" : "ok"
}

function linesOf(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ check }) => check.length))
  return findings.map(({ check, status, detail, todo }) => {
    const line = `${status.padEnd(4)}  ${check.padEnd(width)}  ${detail}`
    return todo === null ? line : `${line}. To do: ${todo}`
  })
}
