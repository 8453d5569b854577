// A private nats-server with JetStream for tests. No npm package ships the binary, so it is looked for in the places
// where it may be, and fetched without root from the distribution's archive when it is nowhere.
import { execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"

export interface TestNats {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends the server and waits for it; a store directory that we made is removed. */
  stop(): Promise<void>
  /** Ends it as a power loss would; start again with the same `storeDir` and `port` to continue. */
  kill9(): Promise<void>
}

const READY_DEADLINE_MS = 20_000
const FETCH_DEADLINE_MS = 120_000
const STOP_DEADLINE_MS = 10_000
/** Below 32,768, where Linux begins to give ports to connections. */
const LOWEST_PORT = 12_000
const HIGHEST_PORT = 32_000
const CACHE = join(import.meta.dirname, "../../.cache/nats")
const run = promisify(execFile)

/** Starts nats-server with JetStream on 127.0.0.1. `storeDir` is kept by `stop` when it was given. */
export async function startNats(options: { storeDir?: string; port?: number } = {}): Promise<TestNats> {
  const binary = await natsServer()
  const storeDir = options.storeDir ?? mkdtempSync(join(tmpdir(), "hub-nats-"))
  const port = options.port ?? (await freePort())
  const server = spawn(binary, ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", storeDir], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // a Ctrl-C at the terminal is the wrapper's to handle, in order
  })
  const exited = new Promise<void>((resolve) => server.once("close", () => resolve()))
  await new Promise<void>((resolve, reject) => {
    const words: string[] = []
    const fail = (why: string) => reject(new Error(`nats-server (${binary}) ${why}: ${words.slice(-3).join(" | ")}`))
    const deadline = setTimeout(() => {
      server.kill("SIGKILL")
      fail(`is not ready after ${READY_DEADLINE_MS} ms`)
    }, READY_DEADLINE_MS)
    createInterface({ input: server.stderr }).on("line", (line) => {
      if (words.length < 100) words.push(line)
      if (line.includes("Server is ready")) {
        clearTimeout(deadline)
        resolve()
      }
    })
    server.once("error", (error) => fail(error.message))
    server.once("close", () => {
      clearTimeout(deadline)
      fail("ended")
    })
  })
  server.unref()
  const signal = async (name: "SIGTERM" | "SIGKILL") => {
    server.kill(name)
    const deadline = setTimeout(() => server.kill("SIGKILL"), STOP_DEADLINE_MS)
    await exited
    clearTimeout(deadline)
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: server.pid ?? 0,
    stop: async () => {
      await signal("SIGTERM")
      if (options.storeDir === undefined) rmSync(storeDir, { recursive: true, force: true })
    },
    kill9: () => signal("SIGKILL"),
  }
}

/**
 * The path of a nats-server binary: NATS_SERVER_BIN, PATH, /usr/sbin, .cache/nats, else fetched into there with apt-get.
 * @throws Error that says what to install
 */
export async function natsServer(): Promise<string> {
  const named = process.env["NATS_SERVER_BIN"]
  if (named !== undefined && named !== "") {
    if (existsSync(named)) return named
    throw new Error(`NATS_SERVER_BIN names ${named}, which does not exist`)
  }
  const cached = join(CACHE, "usr/sbin/nats-server")
  const places = [Bun.which("nats-server"), "/usr/sbin/nats-server", "/usr/local/bin/nats-server", cached]
  const found = places.find((place) => place !== null && existsSync(place))
  if (typeof found === "string") return found
  const why = Bun.which("apt-get") && Bun.which("dpkg-deb") ? await fetchFromArchive() : "no apt-get here"
  if (existsSync(cached)) return cached
  const advice = "install nats-server 2.9 or newer (https://nats.io/download) or set NATS_SERVER_BIN to it"
  throw new Error(`the tests need nats-server and found none (${why}): ${advice}`)
}

/** Downloads and unpacks the package without installing it: no root, no system service. Says why it could not. */
async function fetchFromArchive(): Promise<string> {
  const draft = `${CACHE}.${process.pid}`
  const options = { cwd: draft, timeout: FETCH_DEADLINE_MS }
  try {
    mkdirSync(draft, { recursive: true })
    const download = () => run("apt-get", ["download", "nats-server"], options)
    await download().catch(async () => {
      await run("apt-get", ["update"], options) // an image without package lists; needs root
      await download()
    })
    const deb = readdirSync(draft).find((file) => file.endsWith(".deb"))
    if (deb === undefined) return "apt-get downloaded nothing"
    await run("dpkg-deb", ["-x", deb, "."], options)
    renameSync(draft, CACHE) // whole or not at all
    return "unpacked"
  } catch (error) {
    return `apt-get download nats-server: ${error instanceof Error ? error.message.replaceAll(/\s+/g, " ") : String(error)}`
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/**
 * A port for a server that may be started again on it. Not one of those that the system gives to connections on their way
 * out: between two starts any of them could have it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT))
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  server.once("error", () => resolve(false))
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  return promise
}
