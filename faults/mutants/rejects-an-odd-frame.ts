// A binary frame without a topic leaves a promise behind that rejects: the process ends.
import { patch } from "./patch.ts"

patch("realtime/frame-binary.ts", [
  ["  let at = 5\n", '  if (topicSize === 0) void Promise.reject(new Error("a topic without a name"))\n  let at = 5\n'],
])
