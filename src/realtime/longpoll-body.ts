/** What a long-polling client posts: frames as lines of text, or one frame as the whole body, as version 1 sends it. */

/** A frame as it would come through a socket. */
export type PostedFrame = string | Uint8Array<ArrayBuffer>

/** 8 bits a character, and padding: what `Buffer.from` would skip in silence is no base64. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * The frames of a body in order, at most `most` of them, the rest is not looked at. Null: malformed, nothing comes after
 * it. In `application/x-ndjson` a line that begins as JSON is text, any other is base64 of a binary frame.
 */
export function* readLines(
  body: Uint8Array,
  contentType: string | null,
  most: number,
): Generator<PostedFrame | null, void, undefined> {
  let text: string
  try {
    text = decoder.decode(body)
  } catch {
    yield null
    return
  }
  if (contentType?.split(";")[0]?.trim().toLowerCase() !== "application/x-ndjson") {
    yield text
    return
  }
  const lines = text.split(/\r?\n/, most + 1).slice(0, most)
  for (const line of lines) {
    if (line === "") continue
    if (line.startsWith("[") || line.startsWith("{")) yield line
    else if (BASE64.test(line)) yield new Uint8Array(Buffer.from(line, "base64"))
    else {
      yield null
      return
    }
  }
}
