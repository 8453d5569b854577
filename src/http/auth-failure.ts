/** Why a credential was not taken. `detail` is for the caller: it never quotes the credential. */
export type AuthFailure =
  | { readonly failure: "missing" }
  | { readonly failure: "refused"; readonly detail: string }
  | { readonly failure: "unavailable"; readonly detail: string }

/** The credential was read and is not good. */
export const refused = (detail: string): AuthFailure => ({ failure: "refused", detail })
