// The restaurants' day, told through the resources server: reservations, menus, tables, announcements.
import { dijla, guests } from "./catalogue.ts"
import { between, chance, next, pick } from "./chance.ts"
import { at, END, MINUTE, moment, SECOND, sendings } from "./daybook.ts"
import type { Request } from "./spellings.ts"

function resource(
  type: string,
  resourceType: string,
  id: string,
  location: string | undefined,
  when: number,
  data?: Record<string, unknown>,
): void {
  if (when >= END) return
  const request: Request = {
    path: "/api/notifications",
    content_type: "application/json",
    ...(chance(0.4) ? { headers: { "Idempotency-Key": `outbox-${next("outbox", 1)}` } } : {}),
    body: {
      type: `resource_${type}`,
      resourceType,
      businessId: "dijla-restaurants",
      ...(location === undefined ? {} : { locationId: location }),
      resourceId: id,
      shardId: `shard-00${between(1, 3)}`,
      timestamp: new Date(when).toISOString(),
      ...(data === undefined ? {} : { data }),
    },
  }
  sendings.push({ at: when + between(0, 2) * SECOND, request })
}

function reservation(): void {
  const id = `res-${next("reservation", 8_800)}`
  const location = pick(dijla.branches).id
  const table = {
    guest_name: pick(guests),
    guests: between(1, 14),
    at: `2026-03-02T${between(12, 22)}:${pick(["00", "30"])}:00+03:00`,
  }
  let when = chance(0.35) ? moment(at(10), at(13)) : moment(at(16), at(22, 30))
  resource("created", "reservation", id, location, when, table)
  when += between(2, 90) * MINUTE
  if (chance(0.5)) {
    resource(
      pick(["updated", "patched"]),
      "reservation",
      id,
      location,
      when,
      chance(0.8) ? { ...table, guests: table.guests + 2 } : undefined,
    )
    when += between(2, 60) * MINUTE
  }
  if (chance(0.2)) resource("deleted", "reservation", id, location, when, chance(0.7) ? table : undefined)
}

export function restaurants(): void {
  for (let i = 0; i < 190; i++) reservation()
  for (let i = 0; i < 44; i++) {
    const item = pick(["مسكوف", "كباب أربيل", "Dolma", "تشريب لحم", "Lentil soup"])
    const kind = pick(["menu", "menu_item", "MenuSection"])
    resource(
      pick(["created", "updated", "patched"]),
      kind,
      `m-${between(1, 60)}`,
      pick(dijla.branches).id,
      moment(at(9), at(23)),
      { name: item, available: chance(0.6) },
    )
  }
  for (let i = 0; i < 40; i++) {
    const type = pick(["updated", "patched", "deleted", "created"])
    resource(
      type,
      pick(["table", "shift", "supplier"]),
      `x-${between(1, 90)}`,
      pick(dijla.branches).id,
      moment(at(9), at(23)),
    )
  }
  resource("created", "announcement", "ann-1", undefined, at(9, 5), { title: "رمضان كريم: أوقات العمل الجديدة" })
  resource("created", "announcement", "ann-2", undefined, at(16, 40), { title: "New till software tonight" })
  resource("created", "announcement", "ann-3", "karrada", at(11, 20), { title: "Fire drill at Karrada" })
}
