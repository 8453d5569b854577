// A name server on a local UDP port, for what looks things up in DNS: answers from a table, or not at all.
import { createSocket } from "node:dgram"

/** By name and type, lower case: `{"example.com TXT": ["v=spf1 -all"], "example.com MX": ["mx.example.com"]}`. */
export type Zone = Readonly<Record<string, readonly string[]>>

export interface NameServer {
  /** `127.0.0.1:5353` */
  readonly address: string
  /** Null: never answers. */
  serve(zone: Zone | null): void
  stop(): Promise<void>
}

const TYPES: Readonly<Record<number, string>> = { 15: "MX", 16: "TXT" }
const HEADER = 12

export async function startNameServer(): Promise<NameServer> {
  let zone: Zone | null = {}
  const socket = createSocket("udp4")
  socket.on("message", (question, from) => {
    if (zone === null) return
    const labels: string[] = []
    let at = HEADER
    for (let length = question.readUInt8(at); length > 0; length = question.readUInt8(at)) {
      labels.push(question.toString("ascii", at + 1, at + 1 + length))
      at += length + 1
    }
    const end = at + 5 // the root, a type and a class
    const name = labels.join(".").toLowerCase()
    const type = question.readUInt16BE(at + 1)
    const records = zone[`${name} ${TYPES[type] ?? ""}`] ?? []
    const known = Object.keys(zone).some((key) => key.startsWith(`${name} `))
    const header = Buffer.from(question.subarray(0, HEADER))
    header.writeUInt16BE(known ? 0x8180 : 0x8183, 2) // an answer; of no such name
    header.writeUInt16BE(records.length, 6)
    header.writeUInt32BE(0, 8)
    const answers = records.map((text) => record(type, type === 16 ? textData(text) : mailData(text)))
    socket.send(Buffer.concat([header, question.subarray(HEADER, end), ...answers]), from.port, from.address)
  })
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", () => done()))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    serve(next) {
      zone = next
    },
    stop: () => new Promise((done) => socket.close(() => done())),
  }
}

function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc000 | HEADER, 0) // the name of the question
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

const pieces = (texts: readonly string[]): Buffer =>
  Buffer.concat(texts.flatMap((text) => [Buffer.from([text.length]), Buffer.from(text, "ascii")]))

/** In strings of 100, as long records are. */
const textData = (text: string): Buffer => pieces(text.match(/.{1,100}/g) ?? [""])

const mailData = (host: string): Buffer =>
  Buffer.concat([Buffer.from([0, 10]), pieces(host.split(".")), Buffer.from([0])])
