// The operations on resources. Each that changes something adds its news to the outbox in the same transaction.
import type { Pool, PoolClient } from "pg"
import { inTransaction } from "./database.ts"
import { addToOutbox, type ResourceMessage } from "./outbox.ts"
import { type Place, Refusal } from "./tenancy.ts"

export type Data = Readonly<Record<string, unknown>>

export interface Resource extends Place {
  readonly type: string
  readonly id: string
  readonly data: Data
  readonly version: number
  readonly createdAt: string
  readonly updatedAt: string
}

/** Which resource: two places that spell alike have nothing in common. */
export interface Which extends Place {
  readonly type: string
  readonly id: string
}

export interface Resources {
  create(which: Which, data: Data): Promise<Resource>
  replace(which: Which, data: Data): Promise<Resource>
  /** JSON Merge Patch (RFC 7396). */
  patch(which: Which, changes: Data): Promise<Resource>
  remove(which: Which): Promise<void>
  get(which: Which): Promise<Resource>
  /** The latest hundred of a type. */
  list(place: Place, type: string): Promise<readonly Resource[]>
}

interface Row {
  business_id: string
  location_id: string
  type: string
  id: string
  data: Data
  version: number
  created_at: Date
  updated_at: Date
}

const THIS_ONE = "business_id = $1 and location_id = $2 and type = $3 and id = $4"
const keys = (which: Which): string[] => [which.businessId, which.locationId, which.type, which.id]

/** `committed` is called after each change that is durable. */
export function openResources(pool: Pool, shardId: string, committed: () => void): Resources {
  /** One change and its news: both or neither. */
  const change = async (
    kind: ResourceMessage["type"],
    which: Which,
    work: (tx: PoolClient) => Promise<Row>,
  ): Promise<Resource> => {
    const resource = await inTransaction(pool, async (tx) => {
      const changed = resourceOf(await work(tx))
      await addToOutbox(tx, {
        type: kind,
        resourceType: which.type,
        businessId: which.businessId,
        locationId: which.locationId,
        resourceId: which.id,
        shardId,
        timestamp: new Date().toISOString(),
        data: changed.data,
      })
      return changed
    })
    committed()
    return resource
  }

  const overwrite = async (tx: PoolClient, which: Which, data: Data): Promise<Row> => {
    const changed = await tx.query<Row>(
      `update resources_server.resources set data = $5, version = version + 1, updated_at = now()
      where ${THIS_ONE} returning *`,
      [...keys(which), JSON.stringify(data)],
    )
    return found(changed.rows)
  }

  return {
    create: (which, data) =>
      change("resource_created", which, async (tx) => {
        const added = await tx.query<Row>(
          `insert into resources_server.resources (business_id, location_id, type, id, data)
          values ($1, $2, $3, $4, $5) on conflict do nothing returning *`,
          [...keys(which), JSON.stringify(data)],
        )
        const row = added.rows[0]
        if (row === undefined) throw new Refusal(409, "there is a resource of this type and id already")
        return row
      }),
    replace: (which, data) => change("resource_updated", which, (tx) => overwrite(tx, which, data)),
    patch: (which, changes) =>
      change("resource_patched", which, async (tx) => {
        const old = await tx.query<Row>(
          `select * from resources_server.resources where ${THIS_ONE} for update`,
          keys(which),
        )
        return overwrite(tx, which, mergePatch(found(old.rows).data, changes))
      }),
    async remove(which) {
      await change("resource_deleted", which, async (tx) => {
        const gone = await tx.query<Row>(
          `delete from resources_server.resources where ${THIS_ONE} returning *`,
          keys(which),
        )
        return found(gone.rows)
      })
    },
    async get(which) {
      const { rows } = await pool.query<Row>(`select * from resources_server.resources where ${THIS_ONE}`, keys(which))
      return resourceOf(found(rows))
    },
    async list({ businessId, locationId }, type) {
      const { rows } = await pool.query<Row>(
        `select * from resources_server.resources where business_id = $1 and location_id = $2 and type = $3
        order by updated_at desc, id limit 100`,
        [businessId, locationId, type],
      )
      return rows.map(resourceOf)
    },
  }
}

function found(rows: readonly Row[]): Row {
  const row = rows[0]
  if (row === undefined) throw new Refusal(404, "there is no resource of this type and id here")
  return row
}

const isData = (value: unknown): value is Data => typeof value === "object" && value !== null && !Array.isArray(value)

function mergePatch(target: Data, changes: Data): Data {
  const merged = new Map(Object.entries(target))
  for (const [name, value] of Object.entries(changes)) {
    const old = merged.get(name)
    if (value === null) merged.delete(name)
    else merged.set(name, isData(value) ? mergePatch(isData(old) ? old : {}, value) : value)
  }
  return Object.fromEntries(merged)
}

const resourceOf = (row: Row): Resource => ({
  businessId: row.business_id,
  locationId: row.location_id,
  type: row.type,
  id: row.id,
  data: row.data,
  version: row.version,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})
