// Preloaded into a hub's process: it dies, as by `kill -9`, when it comes to CRASH_AT (of `crash-points.ts`) for the
// CRASH_NTH time.
import { CRASH_POINTS, planted } from "./crash-points.ts"
import { patch } from "./mutants/patch.ts"

const point = CRASH_POINTS[Number(process.env["CRASH_AT"])]
if (point !== undefined)
  patch(
    point.file,
    [planted(point)],
    `
let passed = 0
function die(): void {
  passed += 1
  if (passed === ${Number(process.env["CRASH_NTH"])}) process.kill(process.pid, "SIGKILL")
}
`,
  )
