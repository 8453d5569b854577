// What an author's function hands back may be anything: a promise, something with a `then` of its own, an object whose
// getters throw. Here it becomes one call, of one of two functions, later.

/** Is it something to wait for? An object that cannot even be asked is, because waiting for it is what brings its error out. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null) return false
  try {
    return value instanceof Promise || ("then" in value && typeof value.then === "function")
  } catch {
    return true
  }
}

/** Calls one of the two, once, never before this returns; whatever `value` does. */
export async function whenSettled<T>(
  value: PromiseLike<T>,
  done: (value: T) => void,
  failed: (thrown: unknown) => void,
): Promise<void> {
  let result: T
  try {
    result = await value
  } catch (thrown) {
    failed(thrown)
    return
  }
  done(result)
}
