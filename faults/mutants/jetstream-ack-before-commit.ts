// A message of the stream is let go of as soon as it has been read.
import { patch } from "./patch.ts"

patch("ingest/jetstream-settle.ts", [
  [
    "      const failed = await store()\n",
    "      for (const { message } of inHand) message.ack()\n      const failed = await store()\n",
  ],
])
