/** The hash of what an event says: equal for a repeat, however its encoder orders keys; never equal for other content. */
import type { Severity } from "../domain/event.ts"
import type { LocationId } from "../domain/ids.ts"
import { canonical, type JsonObject } from "../domain/json.ts"

/** SHA-256 over canonical JSON of type, severity, location and payload (contract §5.1). */
export const contentHash = (
  type: string,
  severity: Severity,
  location: LocationId | null,
  payload: JsonObject,
): Buffer => sha256(canonical([type, severity, location, payload]))

export const sha256 = (text: string): Buffer => Bun.CryptoHasher.hash("sha256", text)
