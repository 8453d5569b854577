// What the hub answers in codes, in words for the person who is trying it out.

const joinRefusals: Readonly<Record<string, string>> = {
  unauthorized:
    "Not allowed here (unauthorized). The token does not name this business, or not this location. The stream of a whole business needs a tenancy with all its locations.",
  ambiguous_topic:
    "This name has two meanings (ambiguous_topic): because ids may hold hyphens, two places of yours are spelled like this. Tick “colon form” and connect again.",
  unavailable: "The hub cannot look this place up right now (unavailable). It is tried again by itself.",
  invalid_recover: "The hub did not understand from where to recover (invalid_recover).",
  "unmatched topic": "There is no such kind of topic (unmatched topic).",
  "too many channels joined": "This connection has joined as many topics as it may.",
  "too many joins": "Too many joins in a short time. It is tried again by itself.",
}

/** A join that is refused for these reasons will be refused again: it is not retried. */
export const isFinal = (reason: string): boolean => reason === "unauthorized" || reason === "ambiguous_topic"

export const inWords = {
  refusedJoin: (reason: string): string => joinRefusals[reason] ?? `The hub refused: ${reason}.`,
  refusedSocket: (withToken: boolean): string =>
    withToken
      ? "The hub does not let this connection in. The token may be wrong or expired, or pages from this address may not connect. It is tried again by itself."
      : "The hub does not let this connection in. It may want a token, or be away. It is tried again by itself.",
  refusedSample(status: number, body: string): string {
    if (status === 401) return "Refused (401): this is no key or token that the hub knows."
    if (status === 403) return "Refused (403): this key or token may not publish events."
    if (status === 404) return "Refused (404): this key or token does not reach that business."
    return `Refused (${status}): ${detailOf(body)}`
  },
}

function detailOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === "object" && parsed !== null && "detail" in parsed) return String(parsed.detail)
  } catch {
    // Not the hub's own answer: a proxy's, perhaps.
  }
  return body.slice(0, 200)
}
