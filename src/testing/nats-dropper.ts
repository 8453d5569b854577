/** For the fault proxy in front of nats-server: messages of one subject are lost on their way in, whole and without a word. */
import type { Gate } from "./fault-proxy.ts"

/** Asked for each message of the subject, in order. */
export type Drops = () => boolean

const END = Buffer.from("\r\n")

/** What a client says to the server goes on as it came, but for messages of `subject` that `drops` takes. */
export function droppingPublications(subject: string, drops: Drops): Gate {
  let rest: Buffer = Buffer.alloc(0)
  return {
    toServer(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const forward: Buffer[] = []
      for (;;) {
        const end = rest.indexOf(END)
        if (end < 0) break
        const words = rest.toString("latin1", 0, end).split(" ")
        const publishes = words[0] === "PUB" || words[0] === "HPUB"
        // The last word of a publication's line is how many bytes follow, which end with a line's end of their own.
        const length = end + END.length + (publishes ? Number(words.at(-1)) + END.length : 0)
        if (rest.length < length) break
        if (!publishes || words[1] !== subject || !drops()) forward.push(rest.subarray(0, length))
        rest = rest.subarray(length)
      }
      return { forward: Buffer.concat(forward), next: "go_on" }
    },
    toClient: () => false,
  }
}
