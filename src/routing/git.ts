/** The git binary, asked with a deadline. Its words are scrubbed: a URL may hold a password. */
import { spawn } from "node:child_process"
import { type ScrubbedText, scrub } from "../telemetry/scrub.ts"

/** `missing`: there is no git. `failed`: it said no; `said` are its words. `late`: the deadline passed. */
export type GitAnswer =
  | { readonly out: Buffer }
  | { readonly problem: "missing" | "failed" | "late" | "too_large"; readonly said: ScrubbedText }

export interface GitOptions {
  readonly deadlineMs: number
  /** Goes to its standard input. */
  readonly input?: string
  /** More than this is refused; 64 MiB by default. */
  readonly maxBytes?: number
  /** Aborted: whoever asked no longer wants it. */
  readonly signal?: AbortSignal
}

const MAX_BYTES = 67_108_864
const MAX_SAID = 4_000
const ALWAYS = ["--no-optional-locks", "-c", "core.sshCommand=ssh -oBatchMode=yes", "-c", "core.askPass="]

/**
 * Runs git in a folder. Never asks anybody for a password, and takes no lock that a person at the keyboard would meet.
 * Does not throw for what git does.
 */
export function git(dir: string, args: readonly string[], options: GitOptions): Promise<GitAnswer> {
  const { promise, resolve } = Promise.withResolvers<GitAnswer>()
  const child = spawn("git", [...ALWAYS, "-C", dir, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    // A session of its own has no terminal to ask for a password on; and a fetch has children, which hold the pipes: all of
    // them are ended together.
    detached: true,
  })
  const chunks: Buffer[] = []
  let bytes = 0
  let said = ""
  let ended: "late" | "too_large" | null = null
  const end = (why: "late" | "too_large"): void => {
    ended ??= why
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    } catch {
      // It has ended by itself meanwhile, or this system knows no groups.
      child.kill("SIGKILL")
    }
  }
  const late = (): void => end("late")
  const timer = setTimeout(late, options.deadlineMs)
  options.signal?.addEventListener("abort", late, { once: true })
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > (options.maxBytes ?? MAX_BYTES)) end("too_large")
    else chunks.push(chunk)
  })
  child.stderr.on("data", (chunk: Buffer) => {
    if (said.length < MAX_SAID) said += chunk.toString("utf8")
  })
  const answer = (made: GitAnswer): void => {
    clearTimeout(timer)
    options.signal?.removeEventListener("abort", late)
    resolve(made)
  }
  child.on("error", (error) => answer({ problem: "missing", said: scrub(error.message) }))
  child.on("close", (code) => {
    if (ended !== null) answer({ problem: ended, said: scrub(ended === "late" ? "no answer in time" : "too much") })
    else if (code === 0) answer({ out: Buffer.concat(chunks) })
    else answer({ problem: "failed", said: scrub(said) })
  })
  child.stdin.on("error", () => {
    // It ended before it had read everything: its exit code says why.
  })
  child.stdin.end(options.input ?? "")
  return promise
}
