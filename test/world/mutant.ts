/** A rule, and how to take it away: data. */

/** A change of a module in `lib/`. */
export interface Edit {
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** A rule, and the change of a module in `lib/` that takes it away. */
export interface Mutant extends Edit {
  readonly rule: string
  /** Where another guard does the same, it is taken away as well. */
  readonly also?: readonly Edit[]
  /** Who is played without it. @default the gate, in drills and then in other scenarios */
  readonly opponents?: readonly string[]
  /** Why no history of the simulated world shows it; tests of the executable, or of its module, do. */
  readonly unseen?: string
}
