// Preloaded into a hub's process (BUN_OPTIONS=--preload=…): when the file of FLOAT_ON_FILE appears, a promise that nobody
// waits for is rejected. The file is taken away first, so that the process after it lives.
import { rmSync } from "node:fs"

const LOOK_MS = 10

setInterval(() => {
  try {
    rmSync(process.env["FLOAT_ON_FILE"] ?? "")
  } catch {
    return // not there
  }
  void Promise.reject(new Error("nobody waits for canary@example.com"))
}, LOOK_MS).unref()
