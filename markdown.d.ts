/** A file that is embedded in the executable: where it is. */
declare module '*.md' {
  const path: string
  export default path
}
