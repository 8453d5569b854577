// Preloaded into a hub's process (BUN_OPTIONS=--preload=…): when the file of BLOCK_ON_FILE appears, its event loop is
// blocked for good, or for as long as a test may last: a hub that nobody ends must not outlive its test for ever. The
// file is taken away first, so that the process after it lives.
import { rmSync } from "node:fs"

const LOOK_MS = 10
const FOR_GOOD_MS = 60_000
const file = process.env["BLOCK_ON_FILE"] ?? ""

setInterval(() => {
  try {
    rmSync(file)
  } catch {
    return // not there
  }
  for (const until = Date.now() + FOR_GOOD_MS; Date.now() < until; );
  process.exit(1)
}, LOOK_MS).unref()
