#!/usr/bin/env node
// The `hub` command of the package: `hub <noun> <verb>`, in the caller's own folder.
process.argv.splice(2, 0, "hub")
await import("./run.mjs")
