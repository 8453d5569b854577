/** What a page loads to run the stock client's checks: the client itself, and the list. */
import { LongPoll, Presence, Socket } from "phoenix"
import type { Stage, Way } from "./stock-act.ts"
import { runCheck } from "./stock-checks.ts"

export const run = (title: string, way: Way, stage: Pick<Stage, "url" | "frozenUrl">): Promise<void> =>
  runCheck({ client: { Socket, LongPoll, Presence }, ...stage }, title, way)
