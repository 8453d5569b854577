// Where the embedded database lives and which account runs it. PostgreSQL refuses to run as root, so root drops to an
// ordinary uid; when that uid cannot reach the data directory (a checkout under /root), the data lives outside and a
// small file in the data directory says where, so that moving or deleting the directory still means what it says.
import { createHash } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { notWritable } from "./embedded-error.ts"
import type { Account } from "./postgres-binaries.ts"

export interface Place {
  /** PostgreSQL's own folder (PGDATA); may not exist yet. */
  readonly pgdata: string
  /** The account to run the server as; undefined: this process's own. */
  readonly account: Account | undefined
  /** What the operator should know about the place, in one line. */
  readonly notice: string | undefined
}

const NOBODY: Account = { uid: 65534, gid: 65534 }
const OUTSIDE = "/var/lib/hubbub"

/**
 * Chooses the folder and the account for the database of an existing, writable `dataDir`.
 * @throws EmbeddedPostgresError `not_writable`
 */
export function choosePlace(dataDir: string): Place {
  const inside = join(realpathSync(dataDir), "postgres")
  if (process.getuid?.() !== 0) return { pgdata: inside, account: undefined, notice: undefined }

  const marker = join(dataDir, "postgres-location")
  if (existsSync(marker)) {
    const pgdata = readFileSync(marker, "utf8").trim()
    return { pgdata, account: ownerOf(pgdata), notice: undefined }
  }
  const account = ownerOf(inside)
  if (canReach(account, dirname(inside))) return { pgdata: inside, account, notice: undefined }

  const pgdata = join(OUTSIDE, createHash("sha256").update(`${inside} ${Date.now()}`).digest("hex").slice(0, 16))
  try {
    mkdirSync(OUTSIDE, { recursive: true })
    chmodSync(OUTSIDE, 0o755) // a strict umask would lock the server out here too
  } catch (error) {
    throw notWritable(OUTSIDE, error)
  }
  writeFileSync(marker, `${pgdata}\n`)
  const notice = `the database lives in ${pgdata}: PostgreSQL does not run as root, and no other account can reach ${dataDir}`
  return { pgdata, account, notice }
}

/** Where the database of `dataDir` is, if there is one: looks only, and changes nothing. */
export function findPlace(dataDir: string): string | undefined {
  const marker = join(dataDir, "postgres-location")
  if (existsSync(marker)) return readFileSync(marker, "utf8").trim()
  return existsSync(dataDir) ? join(realpathSync(dataDir), "postgres") : undefined
}

/** Data that an ordinary user made is served as that user, so that they can go on with it later. */
function ownerOf(pgdata: string): Account {
  const stat = statSync(pgdata, { throwIfNoEntry: false })
  return stat === undefined || stat.uid === 0 ? NOBODY : { uid: stat.uid, gid: stat.gid }
}

function canReach(account: Account, folder: string): boolean {
  for (let step = folder; ; step = dirname(step)) {
    const stat = statSync(step)
    const bit = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001
    if ((stat.mode & bit) === 0) return false
    if (dirname(step) === step) return true
  }
}
