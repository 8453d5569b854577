// A message of the stream is let go of as soon as it has been read.
import { patch } from "./patch.ts"

patch("ingest/jetstream-batch.ts", [
  [
    "  const stored = await acceptAll(ready, accept)\n",
    "  for (const message of messages) message.ack()\n  const stored = await acceptAll(ready, accept)\n",
  ],
])
