/** Metrics of the supervision tree by kind of actor, read from the tree at each scrape. Kinds are a closed set; ids never become labels. */
import type { KindFigures } from "../runtime/figures.ts"
import type { Metrics } from "./metrics.ts"
import type { Reading } from "./registry.ts"

/** `figures` is asked for each metric of a scrape; null: there is no tree yet. */
export function treeMetrics(
  metrics: Pick<Metrics, "gauge" | "total">,
  figures: () => readonly KindFigures[] | null,
): void {
  const byKind = (value: (of: KindFigures) => number) => (): Reading =>
    figures()?.map((of) => ({ labels: { kind: of.kind }, value: value(of) })) ?? null

  metrics.gauge(
    "hub_actors",
    "Parts of the supervision tree, by kind and state",
    () =>
      figures()?.flatMap(({ kind, actors }) =>
        Object.entries(actors).map(([state, value]) => ({ labels: { kind, state }, value })),
      ) ?? null,
  )
  metrics.gauge(
    "hub_actor_mailbox_depth",
    "Messages that wait in mailboxes",
    byKind((of) => of.mailboxDepth),
  )
  metrics.total(
    "hub_actor_messages_total",
    "Messages handled",
    byKind((of) => of.handled),
  )
  metrics.total(
    "hub_actor_restarts_total",
    "Restarts by supervisors",
    byKind((of) => of.restarts),
  )
  metrics.total(
    "hub_actor_dead_letters_total",
    "Messages that reached nobody",
    byKind((of) => of.deadLetters),
  )
  metrics.gauge(
    "hub_actors_stuck",
    "Handlers, starts and stops that were given up on and have still not ended",
    () => figures()?.reduce((sum, { stuck }) => sum + stuck, 0) ?? null,
  )
}
