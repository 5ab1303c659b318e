/** Plays histories on all processors, and tells what was met and what was broken: `bun run simulate`. */
import { generate } from './generate.ts'
import type { Line } from './journal.ts'
import { naive } from './naive.ts'
import { play } from './play.ts'

const counts = new Map<string, number>()
const t = performance.now()
const n = Number(process.argv[3] ?? 1000),
  from = Number(process.argv[2] ?? 1)
const bad: any[] = []
for (let seed = from; seed < from + n; seed++) {
  const h = play(generate(seed), naive(process.argv[4] as never), counts)
  if (h.breach) {
    counts.set('breach ' + h.breach.promise, (counts.get('breach ' + h.breach.promise) ?? 0) + 1)
    bad.push([seed, h.breach])
  }
}
const took = performance.now() - t
console.log((n / took) * 1000, 'histories/s')
for (const [k, v] of [...counts].sort()) console.log(k, v)
console.log(bad.slice(0, 10))
if (process.argv[5]) {
  const lines: Line[] = []
  play(generate(Number(process.argv[5])), naive(process.argv[4] as never), new Map(), lines)
  for (const l of lines) console.log(l.time, l.text)
}
