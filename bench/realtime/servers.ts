/** The rivals as processes: each prints its port. */
import { join } from "node:path"
import type { Server } from "../servers.ts"
import type { Kind } from "./dialects.ts"

const COMMAND: Readonly<Record<Exclude<Kind, "hub">, readonly string[]>> = {
  bare: [process.execPath, join(import.meta.dirname, "bare.ts")],
  storing: [process.execPath, join(import.meta.dirname, "storing.ts")],
  "socket.io": ["node", join(import.meta.dirname, "socketio.mjs")],
}

/** `databaseUrl` is for the one that stores. */
export async function startFanOutServer(
  kind: Exclude<Kind, "hub">,
  databaseUrl: string,
): Promise<Pick<Server, "port" | "pid" | "stop">> {
  const env = { ...process.env, DATABASE_URL: databaseUrl }
  const child = Bun.spawn([...COMMAND[kind]], { env, stdout: "pipe", stderr: "inherit" })
  const { value } = await child.stdout.getReader().read()
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL")
    await child.exited
  }
  return { port: Number(new TextDecoder().decode(value)), pid: child.pid, stop }
}
