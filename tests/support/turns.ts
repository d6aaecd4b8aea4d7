/** Lets promises, ticks and immediates that are due run. */
export async function turns(count = 5): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets `count` callers meet: each waits until all are there. */
export function meeting(count: number): () => Promise<void> {
  let here = 0
  let open = () => {}
  const everybody = new Promise<void>((resolve) => {
    open = resolve
  })
  return () => {
    here++
    if (here === count) open()
    return everybody
  }
}

/** A door that is opened once. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
