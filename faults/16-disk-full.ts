/** The database's disk is full while events come in, and then it is not. Wants root, for a disk that is small enough. */
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "../src/testing/eventually.ts"
import { startPrivatePostgres } from "../src/testing/private-postgres.ts"
import { fault } from "./fault.ts"
import { answers, broken, endings, inWorld, PATIENT_MS, startReader, timed } from "./world.ts"

const DISK = "192m"
const PIECE = Buffer.alloc(1 << 20)
const IN_FLIGHT = 32
const RESUMES_MS = 5_000
const CAP_MS = 20_000

export const diskFull = fault({
  number: 16,
  name: "PostgreSQL's disk full",
  short: { fullMs: 5_000, perSecond: 200 },
  full: { fullMs: 60_000, perSecond: 200 },
  injected: ({ fullMs, perSecond }) => `no byte left on its disk for ${fullMs / 1_000} s, under ${perSecond} events/s`,
  missing() {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return "wants root on Linux, to mount a small tmpfs"
    const folder = smallDisk()
    if (folder === null) return "this machine does not let root mount a tmpfs"
    removeDisk(folder)
    return null
  },
  async run({ fullMs, perSecond }, mutant) {
    const folder = smallDisk()
    if (folder === null) throw new Error("no tmpfs could be mounted")
    const ballast = join(folder, "ballast")
    try {
      const postgres = await startPrivatePostgres({ folder: join(folder, "server") })
      try {
        return await inWorld({ mutant, databaseUrl: postgres.url }, async (world) => {
          const hub = await world.hub()
          const url = () => `http://127.0.0.1:${hub.port}`
          const load = world.load({ perSecond, url, deadlineMs: PATIENT_MS })
          const reader = startReader(10, url)
          await load.more(perSecond)
          const fill = setInterval(() => fillUp(ballast), 200)
          const unavailable = () => load.tries.filter(({ status }) => status === 503).length
          await eventually(
            async () => unavailable(),
            (n) => n > 0,
            { withinMs: CAP_MS, what: "answers of 503" },
          )
          await Bun.sleep(fullMs) // how long it is full is what is tried
          clearInterval(fill)
          rmSync(ballast)
          // A server that could not even write its log has ended, and whoever keeps it starts it again.
          await postgres.start()
          const resumed = await timed(load.more(1), CAP_MS)
          await load.more(perSecond)
          const read = await reader.stop()
          return [
            { what: "accepts again", value: resumed, unit: "ms", atMost: RESUMES_MS },
            ...(await world.judged(load, { again: 4 * IN_FLIGHT })),
            ...answers(load, read),
            broken(hub),
            await endings(world, [hub]),
          ]
        })
      } finally {
        await postgres.remove()
      }
    } finally {
      removeDisk(folder)
    }
  },
})

/** Writes until nothing more fits, in ever smaller pieces. */
function fillUp(path: string): void {
  for (let size = PIECE.length; size >= 4_096; size /= 2) {
    try {
      for (;;) appendFileSync(path, PIECE.subarray(0, size))
    } catch {
      // No room for a piece of this size.
    }
  }
}

function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "hub-small-disk-"))
  const { success } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${DISK},mode=0711`, "none", folder])
  if (!success) {
    rmSync(folder, { recursive: true, force: true })
    return null
  }
  chmodSync(folder, 0o711)
  return folder
}

function removeDisk(folder: string): void {
  Bun.spawnSync(["umount", folder])
  rmSync(folder, { recursive: true, force: true })
}
