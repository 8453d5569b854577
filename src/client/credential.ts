/** The key or token: asked for, checked, and kept out of everything that a person may read. */

/** Asked before each try, so that a token may be renewed. */
export type CredentialSource = () => string | Promise<string>

/** Refuses, without quoting it, what no header can carry: `fetch` would quote it. Throws TypeError. */
export function checkCredential(credential: unknown): asserts credential is string {
  if (typeof credential !== "string" || !/^[\x21-\x7e]+$/.test(credential))
    throw new TypeError("the API key or token is empty or holds a space, a line break or another stray character")
}

/** Whoever answers or fails may have quoted the request. */
export const hide = (credential: string, text: string): string => text.replaceAll(credential, "[credential]")
