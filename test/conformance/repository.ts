/** The Git repository that Argo CD deploys from: a branch of its own for each situation, pushed by the git command. */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const PATIENCE_MS = 30_000

/** Files of a commit by their path. */
export type Files = Readonly<Record<string, string>>

/** Runs git, bounded in time, asking nobody for a password. */
async function git(directory: string, ...args: readonly string[]): Promise<string> {
  const child = Bun.spawn(['git', ...args], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SSL_CERT_FILE: process.env.SSL_CERT_FILE,
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'conformance',
      GIT_AUTHOR_EMAIL: 'conformance@example.com',
      GIT_COMMITTER_NAME: 'conformance',
      GIT_COMMITTER_EMAIL: 'conformance@example.com',
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: PATIENCE_MS,
  })
  const [code, stdout, stderr] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.trim()}`)
  return stdout.trim()
}

/** A branch's name as the beginning of a tag's. */
const flat = (name: string): string => name.replaceAll('/', '-')

/** Parts a branch's name from what is beside it. No situation's name has it, and one may begin with another's. */
const BESIDE = '_'

/** Removes refs from a server. @param directory a Git repository here */
async function removeRefs(url: string, directory: string, isOurs: (ref: string) => boolean): Promise<void> {
  const listed = await git(directory, 'ls-remote', url)
  const refs = listed.split('\n').map((line) => line.split('\t')[1] ?? '')
  for (const ref of refs.filter(isOurs)) await git(directory, 'push', '--quiet', url, `:${ref}`)
}

/** Removes what a run has left of its branches: Argo CD may have hydrated one after it was removed. */
export async function removeRun(url: string, run: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await git(directory, 'init', '--quiet')
  const beginning = `conformance/${run}/`
  const beginnings = [`refs/heads/${beginning}`, `refs/tags/${flat(beginning)}`]
  await removeRefs(url, directory, (ref) => beginnings.some((one) => ref.startsWith(one)))
}

/** A branch with a history of its own, in a working tree of its own. */
export class Branch {
  /** Name of the branch on the server. */
  readonly name: string
  readonly #directory: string
  readonly #url: string

  private constructor(name: string, directory: string, url: string) {
    this.name = name
    this.#directory = directory
    this.#url = url
  }

  /** Begins a branch; nothing is pushed yet. */
  static async begin(name: string, directory: string, url: string): Promise<Branch> {
    await mkdir(directory, { recursive: true })
    await git(directory, 'init', '--quiet', '--initial-branch=main')
    return new Branch(name, directory, url)
  }

  /** Writes files and commits them. @returns the commit's full SHA */
  async commit(files: Files, message = 'a change'): Promise<string> {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.#directory, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text)
    }
    await git(this.#directory, 'add', '--all')
    await git(this.#directory, 'commit', '--quiet', '--allow-empty', `--message=${message}`)
    return git(this.#directory, 'rev-parse', 'HEAD')
  }

  /** Undoes the last commit by another one. @returns its full SHA */
  async revert(): Promise<string> {
    await git(this.#directory, 'revert', '--no-edit', 'HEAD')
    return git(this.#directory, 'rev-parse', 'HEAD')
  }

  /** The full SHA of a commit. */
  at(commit: string): Promise<string> {
    return git(this.#directory, 'rev-parse', commit)
  }

  /** Pushes what was committed, or an earlier commit of it. */
  async push(commit = 'HEAD'): Promise<void> {
    await this.#send(commit, `refs/heads/${this.name}`)
  }

  /** Pushes a tag, which begins with the branch's name; one that exists is moved. @returns its name */
  async tag(name: string, commit = 'HEAD'): Promise<string> {
    const tag = flat(this.beside(name))
    await this.#send(commit, `refs/tags/${tag}`)
    return tag
  }

  /** Name of a branch that belongs to this one, such as Argo CD makes where it hydrates. */
  beside(name: string): string {
    return `${this.name}${BESIDE}${name}`
  }

  /** Removes all of it, here and from the server, tags and branches beside it too. */
  async remove(): Promise<void> {
    const ours = [`refs/heads/${this.name}`, `refs/tags/${flat(this.name)}`]
    await removeRefs(this.#url, this.#directory, (ref) => ours.includes(ref.split(BESIDE)[0] ?? ''))
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #send(commit: string, ref: string): Promise<void> {
    await git(this.#directory, 'push', '--quiet', '--force', this.#url, `${commit}:${ref}`)
  }
}
