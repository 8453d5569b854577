/**
 * Group commit: what arrives while a batch is on its way goes out together in the next one. Nobody waits for a timer,
 * so a lone request commits at once, and under load many share one commit.
 */

export interface Batcher<In, Out> {
  /** The item's own result; rejects with the batch's error. Null: the queue is full, nothing was taken. */
  submit(item: In): Promise<Out> | null
  readonly waiting: number
}

export interface BatcherOptions<In, Out> {
  /** Results in the order of the items. */
  readonly run: (items: readonly In[]) => Promise<readonly Out[]>
  readonly maxItems: number
  readonly maxInFlight: number
  /** Items that may wait before `submit` refuses. */
  readonly maxWaiting: number
}

interface Waiting<In, Out> {
  readonly item: In
  readonly resolve: (result: Out) => void
  readonly reject: (error: unknown) => void
}

export function createBatcher<In, Out>(options: BatcherOptions<In, Out>): Batcher<In, Out> {
  let queue: Waiting<In, Out>[] = []
  let inFlight = 0
  let scheduled = false

  const flush = (): void => {
    scheduled = false
    while (queue.length > 0 && inFlight < options.maxInFlight) {
      const batch = queue.slice(0, options.maxItems)
      queue = queue.slice(batch.length)
      inFlight += 1
      void send(batch)
    }
  }

  const send = async (batch: readonly Waiting<In, Out>[]): Promise<void> => {
    try {
      const results = await options.run(batch.map((waiting) => waiting.item))
      batch.forEach((waiting, index) => {
        const result = results[index]
        if (result === undefined) waiting.reject(new Error("batch gave no result for an item"))
        else waiting.resolve(result)
      })
    } catch (error) {
      for (const waiting of batch) waiting.reject(error)
    }
    inFlight -= 1
    flush()
  }

  return {
    submit(item) {
      if (queue.length >= options.maxWaiting) return null
      const result = new Promise<Out>((resolve, reject) => queue.push({ item, resolve, reject }))
      if (!scheduled && inFlight < options.maxInFlight) {
        scheduled = true
        // Every request that the event loop holds ready right now joins this batch. A microtask would run before the second
        // of them is read: the first would have a commit of its own, and the second too.
        setImmediate(flush)
      }
      return result
    },
    get waiting() {
      return queue.length
    },
  }
}
