// Brings Bun and the dependencies to a machine that has only Node and npm, into this checkout alone: Bun under
// .cache/bun-<version>, the dependencies under node_modules, both exactly as committed. Nothing to do costs two reads.
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

/** Something that the person at the keyboard can mend; its message is one line. */
export class Problem extends Error {}

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cache = join(root, ".cache")
const INSTALL_DEADLINE_MS = 15 * 60_000
const run = promisify(execFile)

/** The path of the Bun to use, with the dependencies of bun.lock in place. */
export async function prepare() {
  // With an empty HOME, Bun would keep what it compiled in the folder that it runs in.
  if (!homeIsWritable()) process.env.BUN_RUNTIME_TRANSPILER_CACHE_PATH ??= join(cache, "transpiled")
  const version = bunVersion()
  const stamp = join(root, "node_modules", ".hub-installed")
  const wanted = fingerprint(version)
  const isReady = () => readOr(stamp, "") === wanted && findBun(version)
  const ready = isReady()
  if (ready) return ready
  return locked(async () => {
    const bun = findBun(version) ?? (await installBun(version))
    if (readOr(stamp, "") !== wanted) {
      await installDependencies(bun)
      writeFileSync(stamp, wanted)
    }
    return bun
  })
}

function bunVersion() {
  const { packageManager = "" } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  return packageManager.replace(/^bun@/, "").replace(/\+.*$/, "")
}

function fingerprint(version) {
  const hash = createHash("sha256").update(`${version} ${process.platform} ${process.arch}\n`)
  for (const file of ["package.json", "bun.lock"]) hash.update(readFileSync(join(root, file)))
  return hash.digest("hex")
}

/** The platform packages of Bun to try, best first. */
function bunPackages() {
  const arch = process.arch === "arm64" ? "aarch64" : process.arch
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `bun-${platform}-${arch}`
  const noAvx2 = arch === "x64" && platform === "linux" && !/\bavx2\b/.test(readOr("/proc/cpuinfo", "avx2"))
  const builds = arch === "x64" ? (noAvx2 ? ["-baseline"] : ["", "-baseline"]) : [""]
  const musl = platform === "linux" && existsSync(`/lib/ld-musl-${arch === "x64" ? "x86_64" : arch}.so.1`)
  return builds.map((build) => `${name}${musl ? "-musl" : ""}${build}`)
}

function bunIn(folder, name) {
  return join(folder, "node_modules", "@oven", name, "bin", process.platform === "win32" ? "bun.exe" : "bun")
}

function findBun(version) {
  return bunPackages()
    .map((name) => bunIn(join(cache, `bun-${version}`), name))
    .find((path) => existsSync(path))
}

/** Only the one binary this machine runs: the package `bun` would bring every build for the platform. */
async function installBun(version) {
  console.error(`hub: fetching Bun ${version} (once)`)
  const draft = join(cache, `bun-${version}.${process.pid}`)
  const home = join(cache, `bun-${version}`)
  let reason = "no build of it runs on this machine"
  try {
    for (const name of bunPackages()) {
      mkdirSync(draft, { recursive: true })
      const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
      try {
        await npm(["install", "--prefix", draft, ...flags, ...npmCache(), `@oven/${name}@${version}`])
        await run(bunIn(draft, name), ["--version"], { timeout: 30_000 })
      } catch (error) {
        reason = firstError(error)
        rmSync(draft, { recursive: true, force: true })
        continue
      }
      rmSync(home, { recursive: true, force: true })
      renameSync(draft, home) // whole or not at all
      return bunIn(home, name)
    }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  throw new Problem(`cannot fetch Bun ${version} from the npm registry: ${reason}`)
}

async function installDependencies(bun) {
  console.error("hub: installing the dependencies (once)")
  const env = { ...process.env, ...(await registryFor()) }
  if (!homeIsWritable()) Object.assign(env, { HOME: cache, BUN_INSTALL_CACHE_DIR: join(cache, "bun-install") })
  try {
    const args = ["install", "--frozen-lockfile", "--ignore-scripts", "--no-progress"]
    await run(bun, args, { cwd: root, env, timeout: INSTALL_DEADLINE_MS, maxBuffer: 2 ** 26 })
  } catch (error) {
    throw new Problem(`cannot install the dependencies of bun.lock: ${firstError(error)}`)
  }
}

/** Bun reads only ~/.npmrc; a machine whose npm is set up elsewhere means its registry for Bun too. */
async function registryFor() {
  if (process.env.npm_config_registry || process.env.NPM_CONFIG_REGISTRY) return {}
  if (/^\s*registry\s*=/m.test(readOr(join(homeFolder() ?? "/", ".npmrc"), ""))) return {}
  try {
    const registry = (await npm(["config", "get", "registry"])).stdout.trim()
    return /^https?:/.test(registry) ? { NPM_CONFIG_REGISTRY: registry } : {}
  } catch {
    return {}
  }
}

/** npm as the JavaScript file that it is where that can be found: a Windows npm.cmd cannot be spawned directly. */
function npm(args) {
  const beside = join(dirname(process.execPath), "node_modules", "npm", "bin", "npm-cli.js")
  const cli = [process.env.npm_execpath, beside].find((path) => path?.endsWith("npm-cli.js") && existsSync(path))
  const env = { ...process.env, ...(homeFolder() === undefined ? { HOME: cache } : {}) }
  const options = { cwd: root, env, timeout: INSTALL_DEADLINE_MS, maxBuffer: 2 ** 26 }
  return cli ? run(process.execPath, [cli, ...args], options) : run("npm", args, options)
}

function npmCache() {
  return homeIsWritable() ? [] : ["--cache", join(cache, "npm")]
}

/** The user's home; undefined for an account that has none (a container's bare uid). */
function homeFolder() {
  try {
    return homedir() || undefined
  } catch {
    return undefined
  }
}

function homeIsWritable() {
  const home = homeFolder()
  if (home === undefined) return false
  try {
    for (const folder of ["", ".npm", ".npm/_cacache", ".bun", ".bun/install/cache"]) {
      const path = join(home, folder)
      if (folder === "" || existsSync(path)) accessSync(path, constants.W_OK | constants.X_OK)
    }
    return true
  } catch {
    return false
  }
}

/** The line of a failed command that names the reason. */
function firstError(error) {
  const output = `${error.stderr ?? ""}\n${error.stdout ?? ""}`
  const lines = output.split("\n").map((line) => line.replace(/^npm (error|ERR!)\s*/, "").trim())
  const told = lines.filter((line) => line !== "" && !/^code\s|^npm warn|complete log|^bun install v/i.test(line))
  return told.find((line) => /error|fail|not found|E[A-Z]{4,}/i.test(line)) ?? told[0] ?? error.message.split("\n")[0]
}

/** One installer at a time in this checkout; a dead one's lock is taken over. */
async function locked(work) {
  const lock = join(cache, "install.lock")
  const draft = `${lock}.${process.pid}`
  try {
    mkdirSync(cache, { recursive: true })
    accessSync(root, constants.W_OK)
    for (let told = false; ; ) {
      try {
        writeFileSync(lock, String(process.pid), { flag: "wx" })
        break
      } catch (error) {
        if (error.code !== "EEXIST") throw error
      }
      const holder = Number(readOr(lock, "0"))
      if (holder > 0 && !isAlive(holder)) {
        try {
          renameSync(lock, draft) // of several who notice, one moves it away
          rmSync(draft, { force: true })
        } catch (error) {
          if (error.code !== "ENOENT") throw error
        }
        continue
      }
      if (!told) console.error(`hub: waiting for another installation here (pid ${holder})`)
      told = true
      await pause(100)
    }
  } catch (error) {
    const why = `Bun and the dependencies are installed there on the first run`
    if (["EACCES", "EPERM", "EROFS", "ENOSPC"].includes(error.code))
      throw new Problem(`cannot write ${root} (${error.code}): ${why}`)
    throw error
  }
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

function readOr(path, otherwise) {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return otherwise
  }
}
