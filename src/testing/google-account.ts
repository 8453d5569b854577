// A Google service account of a project that exists nowhere.
import { generateKeyPairSync } from "node:crypto"
import { Secret } from "../domain/secret.ts"

export const GOOGLE_KEY = generateKeyPairSync("rsa", {
  modulusLength: 2_048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
}).privateKey
export const GOOGLE_EMAIL = "canary@project.iam.example.com"

/** Its JSON, as Google hands it out. */
export const googleAccount = (tokenUri: string, privateKey = GOOGLE_KEY): Secret =>
  new Secret(
    JSON.stringify({
      project_id: "the-project",
      client_email: GOOGLE_EMAIL,
      private_key: privateKey,
      token_uri: tokenUri,
    }),
  )
