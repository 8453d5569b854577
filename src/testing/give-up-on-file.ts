// Preloaded into a hub's process (BUN_OPTIONS=--preload=…): adds a child to its tree that cannot live once the file of
// GIVE_UP_ON_FILE is there, so that the root runs out of restarts.
import { existsSync } from "node:fs"
import { plugin } from "bun"
import { type RunningService, service } from "../runtime/service.ts"

const LOOK_MS = 10
const LAST_CHILD = "    http.child,\n"

export const doomed = service({
  id: "doomed",
  start(ctx): RunningService {
    const look = (): void => {
      if (existsSync(process.env["GIVE_UP_ON_FILE"] ?? "")) ctx.fail(new Error("it cannot live"))
      else if (!ctx.signal.aborted) ctx.clock.after(LOOK_MS, look)
    }
    look()
    return { async stop() {} }
  },
})

plugin({
  name: "a child that gives up",
  setup(build) {
    build.onLoad({ filter: /\/src\/hub\.ts$/ }, async ({ path }) => {
      const text = await Bun.file(path).text()
      if (!text.includes(LAST_CHILD)) throw new Error("hub.ts no longer lists its children as this expects")
      const contents = `import { doomed } from ${JSON.stringify(import.meta.path)}\n${text.replace(LAST_CHILD, `${LAST_CHILD}doomed,`)}`
      return { contents, loader: "ts" }
    })
  },
})
