/** The hub as a process of its own, as an operator runs it: to be killed, stopped and started again. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { testEnvironment } from "./start-hub.ts"

const ROOT = join(import.meta.dir, "../..")

export interface HubProcess {
  readonly pid: number
  /** 0 until it listens. */
  readonly port: number
  /** Everything it has said on standard error, so far. */
  readonly log: () => string
  /** Settles with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>
  signal(name: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGKILL"): void
}

export interface HubProcessOptions {
  /** Null: an embedded one, in `dataDir`. */
  readonly databaseUrl: string | null
  /** Kept when given; else a folder that goes with the process. */
  readonly dataDir?: string
  /** What is run, `src/main.ts` by Bun unless said otherwise. */
  readonly command?: readonly string[]
  readonly cwd?: string
  /** The log line to wait for, by its event: `hub_listening` unless said otherwise. */
  readonly until?: string
  /** Told what it has said so far, each time that it says more. */
  readonly heard?: (log: string) => void
  /** 0: any. A restarted hub takes the port of the one before it. */
  readonly port?: number
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts `bun src/main.ts serve`; resolves when it listens or says what `until` names, rejects when it ends before. */
export async function startHubProcess(options: HubProcessOptions): Promise<HubProcess> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "hub-process-"))
  const command = options.command ?? [process.execPath, "--no-env-file", "src/main.ts"]
  const child = Bun.spawn([...command, "serve"], {
    cwd: options.cwd ?? ROOT,
    env: {
      PATH: process.env["PATH"] ?? "",
      ...testEnvironment(options.databaseUrl ?? "", dataDir),
      PORT: String(options.port ?? 0),
      LOG_LEVEL: "info",
      LOG_FORMAT: "json",
      ...options.settings,
    },
    stdout: "ignore",
    stderr: "pipe",
  })
  const awaited = new RegExp(`"event":"${options.until ?? "hub_listening"}".*\n`)
  let log = ""
  const { promise: listening, resolve, reject } = Promise.withResolvers<number>()
  const exited = child.exited.then((code) => {
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
    reject(new Error(`the hub ended before it listened: ${log}`))
    return child.signalCode ?? code
  })
  void (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += chunk
      options.heard?.(log)
      const line = awaited.exec(log)?.[0]
      if (line !== undefined) resolve(Number(/"port":(\d+)/.exec(line)?.[1] ?? 0))
    }
  })()
  const port = await listening
  return { pid: child.pid, port, log: () => log, exited, signal: (name) => child.kill(name) }
}
