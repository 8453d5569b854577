/** The process: picks the command, gives it the terminal, and turns its answer into an exit code. */
import { type Command, type ExitCode, Misuse } from "./cli/command.ts"
import { helpOf, overview } from "./cli/usage.ts"

/** Each command by its name, loaded when it is asked for: the hub's own modules alone take longer than most commands. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./cli/serve.ts")).serve,
  init: async () => (await import("./cli/init.ts")).init,
  migrate: async () => (await import("./cli/migrate.ts")).migrateCommand,
  "keys create": async () => (await import("./cli/keys.ts")).keysCreate,
  "keys list": async () => (await import("./cli/keys.ts")).keysList,
  "keys revoke": async () => (await import("./cli/keys.ts")).keysRevoke,
  token: async () => (await import("./cli/token.ts")).token,
  send: async () => (await import("./cli/send.ts")).send,
  "events tail": async () => (await import("./cli/events.ts")).eventsTail,
  "events export": async () => (await import("./cli/events-export.ts")).eventsExport,
  "dlq list": async () => (await import("./cli/dlq.ts")).dlqList,
  "dlq replay": async () => (await import("./cli/dlq.ts")).dlqReplay,
  "sockets kick": async () => (await import("./cli/sockets.ts")).socketsKick,
  "rules check": async () => (await import("./cli/rules-check.ts")).rulesCheck,
  "rules test": async () => (await import("./cli/rules-test.ts")).rulesTest,
  "rules backtest": async () => (await import("./cli/rules-backtest.ts")).rulesBacktest,
  "rules explain": async () => (await import("./cli/rules-explain.ts")).rulesExplain,
  "rules schema": async () => (await import("./cli/rules-schema.ts")).rulesSchema,
  doctor: async () => (await import("./cli/doctor.ts")).doctor,
}

// Whoever read has seen enough, as `| head` does.
process.stdout.on("error", (error) => {
  if ("code" in error && error.code === "EPIPE") process.exit(0)
  throw error
})
const out = (line: string): void => void process.stdout.write(`${line}\n`)
const err = (line: string): void => void process.stderr.write(`${line}\n`)
const onTerminal = process.stderr.isTTY === true
const progress = (line: string | null): void => void process.stderr.write(`\r\u001b[K${line ?? ""}`)

const isHelp = (word: string | undefined): boolean => word === "help" || word === "--help" || word === "-h"

/** The commands whose names begin with these words; all of them, where none does. */
async function overviewOf(words: readonly string[]): Promise<string> {
  const all = Object.entries(COMMANDS)
  const some = all.filter(([name]) => words[0] !== undefined && name.split(" ")[0] === words[0])
  return overview(await Promise.all((some.length === 0 ? all : some).map(([, load]) => load())))
}

/** Runs `hub <noun> <verb> …`; never throws for what the user did. */
async function main(argv: readonly string[]): Promise<ExitCode> {
  const asked = isHelp(argv[0])
  const words = asked ? argv.slice(1) : argv
  const name = Object.keys(COMMANDS).find((known) => known.split(" ").every((word, i) => words[i] === word))
  const command = name === undefined ? undefined : await COMMANDS[name]?.()
  if (command === undefined) {
    const helped = asked || isHelp(words[1])
    if (!helped && words.length > 0) err(`hub: there is no command ${words.slice(0, 2).join(" ")}`)
    ;(helped ? out : err)(await overviewOf(words))
    return helped ? 0 : 2
  }
  const args = words.slice(command.name.split(" ").length)
  if (asked || args.includes("--help") || args.includes("-h")) {
    out(helpOf(command))
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
