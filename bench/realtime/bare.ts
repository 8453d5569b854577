/** The floor: what is posted is published. It parses nothing, stores nothing and asks nobody who they are. */
import { servePlain } from "./plain.ts"

servePlain((topic, frames, server) => {
  for (const frame of frames) server.publish(topic, frame)
})
