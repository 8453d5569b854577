/**
 * Who must go although they did nothing: a person whom an operator kicks, and callers whose API key was revoked. They are
 * closed as Phoenix closes on "disconnect", so their clients come back with what they then have, or are refused.
 */
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { Principal } from "../domain/principal.ts"
import type { News } from "../pubsub/pubsub.ts"
import type { Connection } from "./connection.ts"

/** Whose sockets are closed. `businesses`: what the operator is confined to (null: nothing). */
export interface Kick {
  readonly recipient: RecipientId
  readonly businesses: readonly BusinessId[] | null
}

/** Of callers' labels those whose key is good no more. */
export type RevokedOf = (labels: readonly string[]) => Promise<readonly string[]>

const GOING_AWAY = 1001

/** True where the operator's businesses are among those that the caller came with. */
function meant({ recipient, businesses }: Kick, principal: Principal): boolean {
  if (principal.recipient !== recipient) return false
  if (businesses === null) return true
  const { tenancy } = principal
  return tenancy !== "*" && tenancy.some(({ business }) => businesses.includes(business))
}

/** The sockets here that a kick means. */
export const meantBy = (kick: Kick, connections: Iterable<Connection>): readonly Connection[] =>
  [...connections].filter(({ principal }) => meant(kick, principal))

/** The news that makes every node close them. */
export const kickNews = ({ recipient, businesses }: Kick): News => ({ kind: "sockets_kicked", recipient, businesses })

/** Closes whom an operator has kicked, on whatever node. */
export function obeyKicks(news: readonly News[], connections: Iterable<Connection>): void {
  for (const item of news) {
    if (item.kind !== "sockets_kicked") continue
    // News carries plain text; whoever published it had ids, and here they are only compared.
    const businesses = item.businesses as readonly BusinessId[] | null
    const kick: Kick = { recipient: item.recipient as RecipientId, businesses }
    for (const connection of meantBy(kick, connections)) connection.close(GOING_AWAY, "kicked")
  }
}

/** Ends the sockets that were opened with a key that is good no more. A database that is away says nothing of keys. */
export async function endRevoked(connections: Iterable<Connection>, revokedOf: RevokedOf): Promise<void> {
  const byLabel = Map.groupBy(
    [...connections].filter(({ principal }) => principal.kind === "key"),
    ({ principal }) => principal.label,
  )
  if (byLabel.size === 0) return
  const revoked = await revokedOf([...byLabel.keys()]).catch(() => [])
  for (const label of revoked) for (const connection of byLabel.get(label) ?? []) connection.end("key_revoked")
}
