/** Pictures for tests, as the hub would send them: a small hub's tree whose actors can be changed by name. */

export interface Sample {
  readonly id: string
  readonly name?: string
  readonly kind?: string
  readonly type?: "actor" | "service" | "supervisor" | "pool"
  readonly state?: string
  readonly incarnation?: number
  readonly mailbox?: { readonly depth: number; readonly bound: number; readonly dropped: number } | null
  readonly handled?: number | null
  readonly handler_age_ms?: number | null
  readonly restarts?: number
  readonly recent_restarts?: readonly { readonly at: string; readonly reason: string; readonly detail: string | null }[]
  readonly children?: readonly Sample[]
  /** Of a pool: when not all are in `children`. */
  readonly children_count?: number
  readonly children_states?: Readonly<Record<string, number>>
}

const supervisor = (id: string, ...children: readonly Sample[]): Sample => ({ id, type: "supervisor", children })
const service = (id: string): Sample => ({ id, type: "service" })
const sender = (channel: string): Sample => supervisor(`channel:${channel}`, { id: `dispatcher:${channel}` })

/** The tree of a hub in production; `topics` are the children of its pool. */
export const sampleHub = (topics: readonly Sample[] = []): Sample =>
  supervisor(
    "hub",
    service("database"),
    service("nats"),
    supervisor(
      "path",
      supervisor(
        "deliveries",
        ...["email", "sms", "telegram", "slack"].map(sender),
        { id: "rescuer" },
        { id: "drain" },
      ),
      service("rules"),
      { id: "router" },
    ),
    supervisor("realtime", { id: "topics", type: "pool", children: topics }, { id: "counts" }, { id: "feed" }),
    service("http"),
  )

/** The same tree with `change` at one actor. */
export const withActor = (tree: Sample, id: string, change: Partial<Sample>): Sample =>
  tree.id === id
    ? { ...tree, ...change }
    : tree.children === undefined
      ? tree
      : { ...tree, children: tree.children.map((child) => withActor(child, id, change)) }

export interface SampleOptions {
  readonly at?: number
  readonly node?: string
  readonly stuck?: number
  readonly deadLetters?: readonly { readonly to: string; readonly why: string; readonly message?: string }[]
}

/** 2026-01-05T09:00:00Z */
export const NINE = Date.UTC(2026, 0, 5, 9)

/** As it stands on the wire. */
export function samplePicture(tree: Sample, options: SampleOptions = {}): Record<string, unknown> {
  const { at = NINE, node = "hubbub-1a2b", stuck = 0, deadLetters = [] } = options
  const time = new Date(at).toISOString()
  const recent = deadLetters.map(({ message = null, ...one }) => ({ at: time, kind: "dispatcher", message, ...one }))
  return { node, at: time, stuck, dead_letters: { count: recent.length, recent }, tree: wire(tree) }
}

function wire(of: Sample): Record<string, unknown> {
  const { id, type = "actor", state = "running" } = of
  const children = of.children?.map(wire) ?? null
  const states: Record<string, number> = {}
  for (const child of of.children ?? []) states[child.state ?? "running"] = (states[child.state ?? "running"] ?? 0) + 1
  return {
    id,
    name: of.name ?? id,
    kind: of.kind ?? (type === "actor" ? (id.split(":")[0] ?? id) : type),
    type,
    state,
    incarnation: of.incarnation ?? 1,
    mailbox: of.mailbox ?? (type === "actor" ? { depth: 0, bound: 1_000, dropped: 0 } : null),
    handled: of.handled ?? (type === "actor" ? 0 : null),
    handler_age_ms: of.handler_age_ms ?? null,
    restarts: of.restarts ?? 0,
    recent_restarts: of.recent_restarts ?? [],
    children,
    children_count: children === null ? null : (of.children_count ?? children.length),
    children_states: children === null ? null : (of.children_states ?? states),
  }
}
