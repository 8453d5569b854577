// Each click on "send again" is another replay.
import { patch } from "./patch.ts"

patch("store/replays.ts", [
  [
    "const key = request.replayId === null ? null : keyOf(request.replayId, request.businesses)",
    "const key: string | null = null",
  ],
])
