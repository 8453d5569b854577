/**
 * What happened, folded: all that befalls one actor without a pause of ten seconds is one episode and one line, so that
 * a storm of a hundred crashes a second stays readable. Fed with each picture; bounded whatever comes.
 */
import { type Actor, isWell, type Picture, type Restart } from "./picture.ts"

export type What = "crashed" | "restarted" | "down"

export interface Episode {
  readonly key: string
  readonly id: string
  readonly name: string
  /** `restarted`: started anew without a crash of its own. `down`: it left `running` and no restart is counted yet. */
  readonly what: What
  readonly from: number
  /** When something happened last. */
  readonly to: number
  /** How many crashes. */
  readonly count: number
  /** Of those, within the last ten seconds. */
  readonly lately: number
  readonly reason: string
  readonly detail: string | null
  /** Whether it is well now, and has been for ten seconds. */
  readonly over: boolean
  readonly well: boolean
}

/** An actor that crashes this often in ten seconds is crashing, rather than in one state or another. */
export const STORM = 3
export const QUIET_MS = 10_000
const MOST_KEPT = 60

interface Open {
  key: string
  id: string
  name: string
  what: What
  from: number
  to: number
  count: number
  reason: string
  detail: string | null
  well: boolean
  over: boolean
  /** Crashes by second, the last ten. */
  seconds: Map<number, number>
}

interface Known {
  /** Changes when somebody above it was started anew: its own counts begin again then. */
  readonly life: number
  readonly incarnation: number
  readonly restarts: number
}

export class Episodes {
  #known = new Map<string, Known>()
  #node: string | null = null
  #at = 0
  /** By actor: the episode that still goes on. */
  readonly #open = new Map<string, Open>()
  /** Oldest first. */
  #all: Open[] = []
  #began = 0

  /** Takes a picture in; answers the ids of those that crashed since the one before. */
  took(picture: Picture): readonly string[] {
    const first = picture.node !== this.#node
    this.#node = picture.node
    if (first) this.#forget()
    // What was quiet until now is over, whatever this picture says.
    this.pass(picture.at)
    const known = new Map<string, Known>()
    const crashed: string[] = []
    const walk = (actor: Actor, life: number): void => {
      const before = this.#known.get(actor.id)
      const { incarnation, restarts } = actor
      const now = actor.away && before !== undefined ? before : { life, incarnation, restarts }
      known.set(actor.id, now)
      if (first) this.#remember(actor)
      else if (before !== undefined && this.#compare(actor, before, now, picture.at)) crashed.push(actor.id)
      this.#state(actor, picture.at)
      for (const child of actor.children ?? []) walk(child, life + incarnation)
    }
    walk(picture.tree, 0)
    if (first) this.#all.sort((a, b) => a.from - b.from)
    this.#at = picture.at
    this.#known = known
    for (const open of this.#open.values()) if (!known.has(open.id)) open.well = true
    this.pass(picture.at)
    return crashed
  }

  /** Time went by, on the hub's clock. */
  pass(now: number): void {
    for (const open of this.#open.values()) {
      for (const second of open.seconds.keys()) if (second * 1_000 <= now - QUIET_MS) open.seconds.delete(second)
      if (open.well && now - open.to >= QUIET_MS) this.#close(open)
    }
  }

  /** Newest begun first: a line stays where it is while its words change. */
  list(): readonly Episode[] {
    return this.#all.toReversed().map(({ seconds, ...open }) => ({ ...open, lately: sum(seconds) }))
  }

  /** Crashes of this actor within the last ten seconds. */
  lately(id: string): number {
    const open = this.#open.get(id)
    return open === undefined ? 0 : sum(open.seconds)
  }

  #forget(): void {
    this.#known.clear()
    this.#open.clear()
    this.#all = []
  }

  /** What the hub remembers from before anybody looked: its last ten restarts, in the same folds. */
  #remember(actor: Actor): void {
    for (const restart of actor.recentRestarts) {
      const open = this.#open.get(actor.id)
      if (open !== undefined && restart.at - open.to >= QUIET_MS) this.#close(open)
      this.#crashes(actor, 1, restart.at, restart)
    }
  }

  #compare(actor: Actor, before: Known, known: Known, now: number): boolean {
    const sameLife = known.life === before.life && known.restarts >= before.restarts
    // Counts that ended with a supervisor were not all seen: but each start except the new life's first had its crash.
    const starts = known.incarnation - before.incarnation
    const crashes = sameLife ? known.restarts - before.restarts : Math.max(known.restarts, starts - 1)
    const last = actor.recentRestarts.at(-1)
    if (crashes > 0) {
      // After a gap in the pictures, as many of them are held to be recent as an even storm would have had.
      const gap = Math.max(now - this.#at, QUIET_MS)
      this.#crashes(actor, crashes, now, last, Math.ceil((crashes * QUIET_MS) / gap))
      return true
    }
    // Whoever was started anew with its supervisor is told of in that one's line.
    if (known.life === before.life && known.incarnation > before.incarnation) {
      const open = this.#open.get(actor.id) ?? this.#begin(actor, "restarted", now)
      open.to = now
    }
    return false
  }

  #state(actor: Actor, now: number): void {
    const well = isWell(actor.state)
    const open = this.#open.get(actor.id)
    if (open !== undefined) {
      if (open.well !== well) open.to = Math.max(open.to, now)
      open.well = well
    } else if (!actor.away && (actor.state === "backoff" || actor.state === "stopped")) {
      this.#begin(actor, "down", now).well = false
    }
  }

  #crashes(actor: Actor, count: number, at: number, last: Restart | undefined, lately = count): void {
    const open = this.#open.get(actor.id) ?? this.#begin(actor, "crashed", at)
    open.what = "crashed"
    open.count += count
    open.to = Math.max(open.to, at)
    if (last !== undefined) {
      open.reason = last.reason
      open.detail = last.detail
    }
    const second = Math.floor(at / 1_000)
    open.seconds.set(second, (open.seconds.get(second) ?? 0) + lately)
  }

  #close(open: Open): void {
    open.over = true
    open.seconds.clear()
    this.#open.delete(open.id)
  }

  #begin(actor: Actor, what: What, at: number): Open {
    const open: Open = {
      key: String(++this.#began),
      id: actor.id,
      name: actor.name,
      what,
      from: at,
      to: at,
      count: 0,
      reason: "",
      detail: null,
      well: true,
      over: false,
      seconds: new Map(),
    }
    this.#open.set(actor.id, open)
    this.#all.push(open)
    if (this.#all.length > MOST_KEPT) this.#drop()
    return open
  }

  /** The oldest that is over goes; where none is, the oldest. */
  #drop(): void {
    const at = Math.max(
      0,
      this.#all.findIndex(({ over }) => over),
    )
    const [gone] = this.#all.splice(at, 1)
    if (gone !== undefined && this.#open.get(gone.id) === gone) this.#open.delete(gone.id)
  }
}

const sum = (of: ReadonlyMap<number, number>): number => [...of.values()].reduce((total, count) => total + count, 0)
