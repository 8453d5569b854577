/** The process: picks the command, gives it the terminal, and turns its answer into an exit code. */
import { type Command, type ExitCode, Misuse } from "./cli/command.ts"
import { dlqList, dlqReplay } from "./cli/dlq.ts"
import { doctor } from "./cli/doctor.ts"
import { eventsTail } from "./cli/events.ts"
import { eventsExport } from "./cli/events-export.ts"
import { init } from "./cli/init.ts"
import { keysCreate, keysList, keysRevoke } from "./cli/keys.ts"
import { migrateCommand } from "./cli/migrate.ts"
import { rulesBacktest } from "./cli/rules-backtest.ts"
import { rulesCheck } from "./cli/rules-check.ts"
import { rulesExplain } from "./cli/rules-explain.ts"
import { rulesSchema } from "./cli/rules-schema.ts"
import { rulesTest } from "./cli/rules-test.ts"
import { send } from "./cli/send.ts"
import { serve } from "./cli/serve.ts"
import { socketsKick } from "./cli/sockets.ts"
import { token } from "./cli/token.ts"

const COMMANDS: readonly Command[] = [
  serve,
  init,
  migrateCommand,
  keysCreate,
  keysList,
  keysRevoke,
  token,
  send,
  eventsTail,
  eventsExport,
  dlqList,
  dlqReplay,
  socketsKick,
  rulesCheck,
  rulesTest,
  rulesBacktest,
  rulesExplain,
  rulesSchema,
  doctor,
]

// Whoever read has seen enough, as `| head` does.
process.stdout.on("error", (error) => {
  if ("code" in error && error.code === "EPIPE") process.exit(0)
  throw error
})
const out = (line: string): void => void process.stdout.write(`${line}\n`)
const err = (line: string): void => void process.stderr.write(`${line}\n`)
const onTerminal = process.stderr.isTTY === true
const progress = (line: string | null): void => void process.stderr.write(`\r\u001b[K${line ?? ""}`)

function usage(): string {
  const rows = COMMANDS.map((command) => [`hub ${command.name} ${command.usage}`.trim(), command.summary] as const)
  const width = Math.max(...rows.map(([left]) => left.length))
  return ["usage:", ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join("\n")
}

/** Runs `hub <noun> <verb> …`; never throws for what the user did. */
async function main(argv: readonly string[]): Promise<ExitCode> {
  const command = COMMANDS.find((known) => known.name.split(" ").every((word, i) => argv[i] === word))
  if (command === undefined) {
    const asked = argv[0] === "help" || argv[0] === "--help"
    if (!asked && argv.length > 0) err(`hub: there is no command ${argv.slice(0, 2).join(" ")}`)
    ;(asked ? out : err)(usage())
    return asked ? 0 : 2
  }
  const args = argv.slice(command.name.split(" ").length)
  if (args.includes("--help")) {
    out(`usage: hub ${command.name} ${command.usage}\n${command.summary}`)
    return 0
  }
  try {
    return await command.run({ args, env: process.env, out, err, ...(onTerminal ? { progress } : {}) })
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    for (const line of error.message.split("\n")) err(`hub: ${line}`)
    return 2
  }
}

process.exitCode = await main(process.argv.slice(2))
