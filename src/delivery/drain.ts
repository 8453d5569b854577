/**
 * What must stop first starts last: this service stands behind the dispatchers in the tree, so at shutdown it is asked
 * first, and has them all finish at the same time instead of one after the other.
 */
import { type ServiceSpec, service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock } from "../runtime/clock.ts"

/** Somebody with sends in flight. */
export interface Drained {
  /** Settles when nothing is in flight; nothing new begins while the drain is closing. */
  idle(): Promise<void>
  /** Ends what is still in flight. */
  cut(): void
  /** Claims again. */
  resume(): void
}

export interface Drain {
  readonly closing: boolean
  /** Returns the way to leave. */
  join(member: Drained): () => void
  readonly spec: ChildSpec
}

/** contract §9, reliability §4.4: sends in flight get this long to finish. */
export const DRAIN_MS = 8_000
/** After that they are aborted, say what they saw, and are settled. */
export const CUT_MS = 1_500

export function createDrain(clock: Clock, options: Pick<ServiceSpec, "id"> & { readonly drainMs?: number }): Drain {
  const members = new Set<Drained>()
  let closing = false

  const allIdle = (): Promise<unknown> => Promise.all([...members].map((member) => member.idle()))
  const within = async (ms: number): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = clock.after(ms, () => resolve(false))
    const idle = await Promise.race([allIdle().then(() => true), promise])
    timer.cancel()
    return idle
  }

  return {
    get closing() {
      return closing
    },
    join(member) {
      members.add(member)
      return () => {
        members.delete(member)
      }
    },
    spec: service({
      id: options.id,
      kind: "drain",
      shutdownMs: (options.drainMs ?? DRAIN_MS) + CUT_MS + 100,
      start() {
        closing = false
        for (const member of members) member.resume()
        return {
          async stop() {
            closing = true
            if (await within(options.drainMs ?? DRAIN_MS)) return
            for (const member of members) member.cut()
            await within(CUT_MS)
          },
        }
      },
    }),
  }
}
