/** For what only a question can tell, such as the state of another process: asks until the answer fits, within a bound. */
export async function eventually<T>(
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
  options: { readonly withinMs: number; readonly everyMs?: number; readonly what: string },
): Promise<T> {
  const deadline = performance.now() + options.withinMs
  for (;;) {
    const answer = await ask()
    if (fits(answer)) return answer
    if (performance.now() > deadline) throw new Error(`${options.what}: still ${JSON.stringify(answer)}`)
    await Bun.sleep(options.everyMs ?? 50)
  }
}
