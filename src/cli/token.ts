/** `hub token`: a JWT for a person, signed with JWT_SECRET, as the ERP would make one. For trying things out. */
import { SignJWT } from "jose"
import { asBusinessId, asLocationId, asRecipientId } from "../domain/ids.ts"
import { type Command, flags, Misuse, settings } from "./command.ts"

export const token: Command = {
  name: "token",
  usage: "--sub <recipient> [--roles a,b] [--business b1[:l1+l2],b2 | *] [--ttl 8h] [--json]",
  summary: "sign a JWT for a person",
  async run(invocation) {
    const { values } = flags(
      invocation,
      {
        sub: { type: "string" },
        roles: { type: "string", default: "" },
        business: { type: "string" },
        ttl: { type: "string", default: "8h" },
      },
      0,
    )
    if (values.sub === undefined || asRecipientId(values.sub) === null) {
      throw new Misuse("--sub: expected a recipient id of 1 to 128 characters, [A-Za-z0-9_.@|+-]")
    }
    const config = settings(invocation)
    const secret = config.jwt.secret
    if (secret === null)
      throw new Misuse("JWT_SECRET is not set: tokens come from your identity provider (JWT_JWKS_URL)")
    const signed = await signToken({
      secret: secret.reveal(),
      sub: values.sub,
      roles: words(values.roles),
      tenants: values.business === undefined ? undefined : tenants(values.business),
      ttl: values.ttl,
      issuer: config.jwt.issuer,
      audience: config.jwt.audience,
    })
    invocation.out(values.json ? JSON.stringify({ token: signed }) : signed)
    return 0
  },
}

export interface TokenRequest {
  readonly secret: string
  readonly sub: string
  readonly roles: readonly string[]
  readonly tenants: "*" | readonly Tenant[] | undefined
  /** `8h`, `15m`. */
  readonly ttl: string
  readonly issuer: string | null
  readonly audience: string | null
}

interface Tenant {
  readonly business: string
  readonly locations?: readonly string[]
}

/** A token with the claims of contract §4. Throws Misuse on a ttl that is no duration. */
export async function signToken(request: TokenRequest): Promise<string> {
  const claims = {
    ...(request.roles.length > 0 ? { roles: request.roles } : {}),
    ...(request.tenants === undefined ? {} : { tenants: request.tenants }),
  }
  if (!/^[1-9]\d*[smhd]$/.test(request.ttl)) throw new Misuse("--ttl: expected a duration such as 30m, 8h or 7d")
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(request.sub)
    .setIssuedAt()
    .setExpirationTime(request.ttl)
  if (request.issuer !== null) jwt.setIssuer(request.issuer)
  if (request.audience !== null) jwt.setAudience(request.audience)
  return jwt.sign(new TextEncoder().encode(request.secret))
}

const words = (list: string): readonly string[] =>
  list
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

/** `b1:l1+l2,b2`: business b1 with two of its locations, and all of b2. */
function tenants(text: string): "*" | readonly Tenant[] {
  if (text === "*") return "*"
  const parts = words(text)
  if (parts.length === 0) throw new Misuse("--business: expected b1, b1:l1+l2 or *")
  return parts.map((part) => {
    const [business = "", locations, more] = part.split(":")
    if (more !== undefined) throw new Misuse(`--business: "${part}" has one colon too many: locations are joined by +`)
    if (asBusinessId(business) === null) throw new Misuse(`--business: "${business}" is no business id`)
    if (locations === undefined) return { business }
    const list = locations.split("+")
    const wrong = list.find((location) => asLocationId(location) === null)
    if (wrong !== undefined) throw new Misuse(`--business: "${wrong}" is no location id`)
    return { business, locations: list }
  })
}
