/** One run of `hub <noun> <verb>`, as a process of its own or within this one. */
import { join } from "node:path"
import type { Command, ExitCode } from "../cli/command.ts"
import { Misuse } from "../cli/command.ts"

const ROOT = join(import.meta.dir, "../..")

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  readonly cwd?: string
  readonly command?: readonly string[]
}

/** Runs it as an operator does, to its end. The environment is `env` alone. */
export async function hubCommand(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const command = options.command ?? [process.execPath, "--no-env-file", join(ROOT, "src/main.ts")]
  const child = Bun.spawn([...command, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...options.env },
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
  })
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code, out: out.trimEnd(), err: err.trimEnd() }
}

/** Runs it in this process, which is quicker; a misuse is answered as the process answers it. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  let code: ExitCode
  try {
    code = await command.run({ args, env, out: (line) => out.push(line), err: (line) => err.push(line) })
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    err.push(...error.message.split("\n").map((line) => `hub: ${line}`))
    code = 2
  }
  return { code, out: out.join("\n"), err: err.join("\n") }
}
