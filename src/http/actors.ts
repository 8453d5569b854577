/** The supervision tree for operators: what runs, what crashed and why; and the restart of one part of it. */
import type { Principal } from "../domain/principal.ts"
import type { ActorInfo } from "../runtime/child-spec.ts"
import type { Clock } from "../runtime/clock.ts"
import type { RestartAnswer } from "../runtime/tree.ts"
import { isShownAs, type Sight, shownName, sightOf } from "../telemetry/actor-sight.ts"
import { actorTree, exitDetail, type SeenTree } from "../telemetry/actor-tree.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { ACTOR_SCHEMAS, RESTARTED_EXAMPLE, TREE_EXAMPLE } from "./actors-schemas.ts"
import { notFound, type Problem, problem, unavailable } from "./problem.ts"
import { type Answer, type Call, json, type RouteFile, ref } from "./route.ts"

export interface ActorDeps {
  /** This node's name. */
  readonly node: string
  readonly clock: Clock
  readonly telemetry: Emitter
  /** Null while the tree is still starting. */
  readonly tree: () => OperatedTree | null
  /** Parts that run once for each life of the process, by id, and why; what is above them is not restarted either. */
  readonly once: Readonly<Record<string, string>>
  /** Keeps for good who asked for a restart of which part. */
  readonly note: (principal: Principal, actor: string) => Promise<void>
  /** What a restart gets before the caller is told that it takes longer; default 8,000. */
  readonly patienceMs?: number
}

/** What is asked of the tree. */
export interface OperatedTree {
  snapshot(): SeenTree
  restart(id: string): Promise<RestartAnswer>
}

/** Below the time after which the listener takes a silent connection for a dead one. */
const PATIENCE_MS = 8_000
const STARTING = "the hub is still starting"

export function actorRoutes(deps: ActorDeps): RouteFile {
  return {
    schemas: ACTOR_SCHEMAS,
    routes: [
      {
        method: "GET",
        path: "/admin/actors",
        access: "operator",
        doc: {
          summary: "The supervision tree as it is now",
          tag: "Operations",
          description:
            "The same as the topic `dashboard` pushes. Of a pool the 50 that need somebody most are shown: those not " +
            "running, those that crashed last, the busiest. Who is confined to businesses sees the hub's own parts " +
            "without the texts of their errors, and of the topics those of their places.",
          answers: { 200: { description: "The tree", schema: ref("ActorTree"), example: TREE_EXAMPLE } },
        },
        handle({ principal }) {
          const seen = deps.tree()?.snapshot()
          if (seen === undefined) return unavailable(STARTING)
          const { node, clock } = deps
          return json(200, actorTree(seen, { node, at: clock.wall(), sight: sightOf(principal.tenancy) }))
        },
      },
      {
        method: "POST",
        path: "/admin/actors/:id/restart",
        access: "operator",
        doc: {
          summary: "Stop one part of the tree and start it anew",
          tag: "Operations",
          description:
            "`id` as the tree gives it, percent-encoded. A supervisor is restarted with all that is below it. No restart " +
            "budget is used. 409 where it cannot be done now, or the part did not come up again. Needs an admin of all " +
            "businesses, or a topic of one's own.",
          answers: {
            200: { description: "It runs again", schema: ref("ActorRestarted"), example: RESTARTED_EXAMPLE },
            409: {
              description: "`conflict`: not now, never this one, or it failed to start",
              schema: ref("Problem"),
              contentType: "application/problem+json",
            },
          },
        },
        handle: (call) => restart(deps, call),
      },
    ],
  }
}

async function restart(deps: ActorDeps, { params, principal }: Call): Promise<Answer> {
  const tree = deps.tree()
  if (tree === null) return unavailable(STARTING)
  const sight = sightOf(principal.tenancy)
  const found = findActor(tree.snapshot().root, params["id"] ?? "", sight)
  const told = (answer: string): void =>
    deps.telemetry.emit({
      kind: "actor_restart_asked",
      actor: found === null ? shownName("unknown") : shownName(found.id),
      by: principal.label,
      answer,
    })
  if (found === null) {
    told("unknown")
    return notFound("actor")
  }
  const refused = refusal(found, sight, deps.once)
  if (refused !== null) {
    told("refused")
    return refused
  }
  await deps.note(principal, found.id)
  const answer = await withPatience(tree.restart(found.id), deps)
  told(answer.kind)
  return answerOf(answer)
}

/** The actor that a caller means by an id of the tree they see; null: none that they may know of. */
function findActor(root: ActorInfo, asked: string, sight: Sight): ActorInfo | null {
  const waiting: { readonly actor: ActorInfo; readonly comesAndGoes: boolean }[] = [
    { actor: root, comesAndGoes: false },
  ]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { actor, comesAndGoes } = next
    if (isShownAs(actor.id, asked)) return !comesAndGoes || sight.unlimited || sight.owns(actor.id) ? actor : null
    const below = comesAndGoes || actor.type === "pool"
    for (const child of actor.children ?? []) waiting.push({ actor: child, comesAndGoes: below })
  }
  return null
}

function refusal(actor: ActorInfo, sight: Sight, once: ActorDeps["once"]): Problem | null {
  if (!sight.unlimited && !sight.owns(actor.id))
    return problem(
      "forbidden",
      'this part works for every business: it needs an admin of all of them (a key without a business, or a token with `"tenants": "*"`)',
    )
  const kept = Object.entries(once).find(([id]) => holds(actor, id))
  return kept === undefined ? null : problem("conflict", `root: ${kept[1]}; restart the process instead`)
}

const holds = (actor: ActorInfo, id: string): boolean =>
  actor.id === id || (actor.children ?? []).some((child) => holds(child, id))

type Patient = RestartAnswer | { readonly kind: "under_way" }

async function withPatience(restarting: Promise<RestartAnswer>, deps: ActorDeps): Promise<Patient> {
  const late = Promise.withResolvers<Patient>()
  const timer = deps.clock.after(deps.patienceMs ?? PATIENCE_MS, () => late.resolve({ kind: "under_way" }))
  try {
    return await Promise.race([restarting, late.promise])
  } finally {
    timer.cancel()
  }
}

function answerOf(answer: Patient): Answer {
  switch (answer.kind) {
    case "restarted":
      return json(200, { result: "restarted" })
    case "failed":
      return problem("conflict", `failed: it did not start (${exitDetail(answer.reason) ?? answer.reason.kind})`)
    case "not_now":
      return problem("conflict", "not_now: it, or the supervisor above it, is starting or stopping; ask again", {
        headers: { "retry-after": "1" },
      })
    case "under_way":
      return problem("conflict", "not_now: it is still stopping or starting; the tree shows when it runs again")
    case "root":
      return problem("conflict", "root: the whole tree cannot be restarted from inside; restart the process")
    case "unknown":
      return notFound("actor")
  }
}
