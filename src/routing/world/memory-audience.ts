/** People who are kept in memory, for rules that are only tried. They are found as the store finds them. */
import type { BusinessId, RecipientId } from "../../domain/ids.ts"
import type { Preferences } from "../../domain/preferences.ts"
import type { Membership, Recipient } from "../../domain/recipient.ts"
import type { AudienceAnswer, AudienceQuery, FindAudience } from "../../store/audience.ts"

export interface MemoryPerson {
  readonly recipient: Recipient
  /** Null: this person has said nothing. */
  readonly preferences: Preferences | null
  /** Lists that this person is on, in each business that the person belongs to. */
  readonly lists: readonly string[]
  /** Where they are not the same in each business: those of each. */
  readonly listsOf?: ReadonlyMap<BusinessId, readonly string[]>
}

interface Member extends MemoryPerson {
  readonly membership: Membership
}

export class MemoryAudience {
  readonly #people = new Map<RecipientId, MemoryPerson>()
  readonly #members = new Map<BusinessId, Map<RecipientId, Member>>()
  /** Those whom a question finds but for the users that it names; a burst asks the same for every event. */
  readonly #groups = new Map<string, readonly Member[]>()

  constructor(people: readonly MemoryPerson[]) {
    for (const person of people) this.put(person)
  }

  /** Also in the place of what was known of this person. */
  put(person: MemoryPerson): void {
    const { recipient } = person
    this.#people.set(recipient.id, person)
    this.#groups.clear()
    for (const members of this.#members.values()) members.delete(recipient.id)
    for (const membership of recipient.memberships) {
      const members = this.#members.get(membership.business) ?? new Map<RecipientId, Member>()
      // As the store answers: with the membership that counts here alone.
      const lists = person.listsOf === undefined ? person.lists : (person.listsOf.get(membership.business) ?? [])
      members.set(recipient.id, {
        ...person,
        lists,
        recipient: { ...recipient, memberships: [membership] },
        membership,
      })
      this.#members.set(membership.business, members)
    }
  }

  has(id: RecipientId): boolean {
    return this.#people.has(id)
  }

  readonly find: FindAudience = async (queries) => queries.map((query) => this.#answer(query))

  #answer(query: AudienceQuery): AudienceAnswer {
    const members = this.#members.get(query.business)
    const found = new Map(this.#group(query).map((member) => [member.recipient.id, member]))
    const outsiders = new Set<RecipientId>()
    for (const id of query.users) {
      const member = members?.get(id)
      if (member !== undefined) found.set(id, member)
      else if (this.#people.has(id)) outsiders.add(id)
    }
    const sorted = [...found.values()].sort((a, b) => (a.recipient.id < b.recipient.id ? -1 : 1))
    const preferences = new Map<RecipientId, Preferences>()
    for (const member of sorted) {
      if (member.preferences !== null) preferences.set(member.recipient.id, member.preferences)
    }
    return { recipients: sorted.map(({ recipient }) => recipient), outsiders, preferences }
  }

  #group({ business, location, roles, lists, everyone }: AudienceQuery): readonly Member[] {
    if (roles.length === 0 && lists.length === 0 && !everyone) return []
    const key = JSON.stringify([business, location, roles, lists, everyone])
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = [...(this.#members.get(business)?.values() ?? [])].filter(({ membership, lists: on }) => {
        const { locations } = membership
        if (location !== null && locations !== null && !locations.includes(location)) return false
        return (
          everyone || roles.some((role) => membership.roles.includes(role)) || lists.some((list) => on.includes(list))
        )
      })
      this.#groups.set(key, group)
    }
    return group
  }
}
