/** Calls that the page makes beside its socket, answered in words. The key is asked for each time: it may be typed late. */
import { createApi } from "../shared/api.ts"
import { fields } from "../shared/fields.ts"
import { refusedCall } from "./words.ts"

/** What the hub said, in words. */
export type Ask = (path: string, body: object, accepted?: (answer: unknown) => string) => Promise<string>

export const asking =
  (key: () => string): Ask =>
  async (path, body, accepted = () => "Accepted.") => {
    const answer = await createApi(key(), () => {}).call("POST", path, body)
    if (answer.kind === "ok") return accepted(answer.body)
    return answer.kind === "refused" ? refusedCall(401, answer.detail) : refusedCall(answer.status, answer.detail)
  }

/** Closes all sockets of this person, on every node, as `hub sockets kick` does. */
export const kick = (ask: Ask, person: string): Promise<string> =>
  ask("admin/sockets/kick", { recipient_id: person }, (answer) => {
    const here = fields(answer)?.["closed_here"]
    const closed = here === 1 ? "1 socket" : `${typeof here === "number" ? here : "all"} sockets`
    return `Kicked: ${closed} of ${person} closed on this node. The client comes back by itself.`
  })
