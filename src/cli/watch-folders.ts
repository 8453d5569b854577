/** Does something once, and again whenever a file below some folders changes, until the process is asked to stop. */
import { type FSWatcher, watch } from "node:fs"
import { type ExitCode, Misuse } from "./command.ts"

/** An editor writes in several steps. */
const SETTLE_MS = 60

export async function watchFolders(folders: readonly string[], work: () => Promise<void>): Promise<ExitCode> {
  const watchers: FSWatcher[] = []
  let changed = Promise.withResolvers<"changed">()
  const stopped = Promise.withResolvers<"stopped">()
  const stop = (): void => stopped.resolve("stopped")
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop)
  try {
    for (const folder of folders) {
      const watcher = watch(folder, { recursive: true }, () => changed.resolve("changed"))
      watcher.on("error", (error) => stopped.reject(error))
      watchers.push(watcher)
    }
    for (;;) {
      // A change from here on is one that this run may not see.
      changed = Promise.withResolvers<"changed">()
      await work()
      if ((await Promise.race([changed.promise, stopped.promise])) === "stopped") return 0
      await Bun.sleep(SETTLE_MS)
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error
    throw new Misuse(`--watch: ${error.message}`)
  } finally {
    for (const watcher of watchers) watcher.close()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop)
  }
}
