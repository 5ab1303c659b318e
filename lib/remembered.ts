/**
 * A function of an object that remembers what it said of each, for as long as that is in use: knowledge is immutable,
 * so what followed from a part of it once follows again.
 *
 * @example
 * const total = remembered((order: Order) => order.items.reduce((sum, { price }) => sum + price, 0))
 */
export function remembered<K extends object, V>(compute: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, { readonly value: V }>()
  return (key) => {
    const before = known.get(key)
    if (before !== undefined) return before.value
    const value = compute(key)
    known.set(key, { value })
    return value
  }
}
