/**
 * Makes a value when it is first asked for: a run that ends at once does not pay for what it never reads.
 *
 * @example
 * const listSchema = lazily(() => z.object({ items: z.array(z.unknown()) }))
 * listSchema().parse(answer)
 */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** What a function makes of a text, made once of each. */
export function onceEach<T>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>()
  return (text) => {
    const before = made.get(text)
    if (before !== undefined) return before
    const value = make(text)
    made.set(text, value)
    return value
  }
}
