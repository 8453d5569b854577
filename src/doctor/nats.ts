/** NATS, where it is set: whether it is there, new enough, and has JetStream. */
import type { NatsConnection } from "nats"
import type { Config } from "../config.ts"
import { describeError } from "../telemetry/scrub.ts"
import { type Check, type Finding, fail, ok } from "./check.ts"

const CONNECT_TIMEOUT_MS = 4_000
const OLDEST = [2, 9] as const
/** From here on the server can be told to write before it answers. */
const CAN_SYNC = [2, 10] as const

export const natsCheck = (config: Config): Check => ({
  name: "nats",
  async run() {
    if (config.natsUrl === null) return { findings: [ok("nats", "not set: one node, and no events from JetStream")] }
    let connection: NatsConnection
    try {
      // Only here: every other command would load it too, and most take no longer than that to run.
      const { connect } = await import("nats")
      const servers = config.natsUrl.reveal().split(",")
      connection = await connect({ servers, name: "hub-doctor", timeout: CONNECT_TIMEOUT_MS, reconnect: false })
    } catch (error) {
      const todo = "see that the server runs, and that NATS_URL names its host and credentials"
      return { findings: [fail("nats", `it cannot be used: ${describeError(error)}`, todo)] }
    }
    try {
      const version = connection.info?.version ?? ""
      return { findings: [versionFinding(version), await jetStreamFinding(connection, version)] }
    } finally {
      await connection.close()
    }
  },
})

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [theirMajor = 0, theirMinor = 0] = version.split(".").map((part) => Number.parseInt(part, 10))
  return theirMajor > major || (theirMajor === major && theirMinor >= minor)
}

const versionFinding = (version: string): Finding =>
  isAtLeast(version, OLDEST)
    ? ok("nats", `nats-server ${version}`)
    : fail("nats", `nats-server ${version}`, `use ${OLDEST.join(".")} or newer`)

async function jetStreamFinding(connection: NatsConnection, version: string): Promise<Finding> {
  try {
    await connection.jetstreamManager({ timeout: CONNECT_TIMEOUT_MS })
  } catch (error) {
    return fail(
      "nats jetstream",
      `it is not there: ${describeError(error)}`,
      "start nats-server with -js, or allow this account to use it",
    )
  }
  // The server tells nobody how it is set, so this cannot be a verdict.
  const advice = isAtLeast(version, CAN_SYNC)
    ? "unless its sync_interval is `always`"
    : "and this version cannot be told otherwise (sync_interval is of 2.10)"
  return ok("nats jetstream", `on; its ack to a producer may not survive a power cut, ${advice}`)
}
