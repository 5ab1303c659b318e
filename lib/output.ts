/** Every way out of the program. Nothing else writes, and nothing leaves but what has passed the gate. */

import { accessSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { writeTextFile } from './files.ts'
import { createGate, type Shown, told } from './shown.ts'

/**
 * Writes the result, and waits for its reader as any tool does: half a result would be none.
 *
 * @returns whether all of it was taken; where not, stderr says so
 */
export function print(text: Shown): boolean {
  const problem = isClosed(1) ? 'EBADF' : writeAll(1, text)
  if (problem === undefined) return true
  toStderr(told`error: the result could not be written to stdout (${problem})\n`)
  return false
}

/** Writes to the log, which waits for nobody: a reader that is stuck misses something, and no deadline is missed. */
export function toStderr(text: Shown): void {
  writeSome(log(), Buffer.from(text))
}

/**
 * Writes to a file that the settings name. Where that is one of the program's own streams, or the one that swallows
 * everything, it is written to as such; apart from these only regular files are.
 *
 * @returns what is wrong, where it could not be written
 */
export function writeOut(path: string, text: Shown, how: 'replace' | 'append'): Shown | undefined {
  const stream = STREAMS.get(path)
  if (stream === 'null') return undefined
  if (stream === 1) return writeAll(1, text)
  if (stream === 2) return writeAll(log(), text, PATIENCE)
  try {
    writeTextFile(path, text, how)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

const STREAMS: ReadonlyMap<string, 1 | 2 | 'null'> = new Map<string, 1 | 2 | 'null'>([
  ['/dev/null', 'null'],
  ['/dev/stdout', 1],
  ['/dev/fd/1', 1],
  ['/proc/self/fd/1', 1],
  ['/dev/stderr', 2],
  ['/dev/fd/2', 2],
  ['/proc/self/fd/2', 2],
])

/** Whether a file that the settings name is the stream that the result goes to anyway. */
export function isStdout(path: string): boolean {
  return STREAMS.get(path) === 1
}

/** Where Kubernetes looks for a termination message, unless the Pod says otherwise. */
const KUBERNETES_TERMINATION_LOG = '/dev/termination-log'

/** Where this platform looks for a termination message. */
export function platformTerminationLog(): string | undefined {
  try {
    accessSync(KUBERNETES_TERMINATION_LOG, constants.W_OK)
    return KUBERNETES_TERMINATION_LOG
  } catch {
    return undefined
  }
}

/**
 * Asked without `process.stdout` and `process.stderr`: these leave a pipe non-blocking for all who share it. Node's
 * module takes time to load, so it is asked only where the descriptor is of the kind that a terminal is.
 */
export function isTerminal(descriptor: 1 | 2): boolean {
  return isDevice(descriptor) && (require('node:tty') as typeof import('node:tty')).isatty(descriptor)
}

/**
 * Whether stdout and stderr have one reader: a terminal, a file, a pipe, or a container's log.
 *
 * @param isContainer whether this may be the first process of a container, whose pipes end in one log
 */
export function isOnePlace(isContainer: boolean): boolean {
  try {
    const [out, err] = [fstatSync(1), fstatSync(2)]
    if (out.dev === err.dev && out.ino === err.ino && out.ino !== 0) return true
  } catch {
    // A descriptor that is closed goes nowhere.
  }
  return (isTerminal(1) && isTerminal(2)) || (isContainer && process.pid === 1)
}

function isDevice(descriptor: 1 | 2): boolean {
  try {
    return process.platform === 'win32' || fstatSync(descriptor).isCharacterDevice()
  } catch {
    return false
  }
}

/**
 * Bun opens `/dev/null` where it was started with a closed descriptor, and everything would seem to be taken. What
 * it opens does not outlive an `exec`, and nothing that was inherited can be so.
 */
function isClosed(descriptor: 1): boolean {
  if (process.platform !== 'linux' || !isDevice(descriptor)) return false
  try {
    const [, flags = '0'] =
      /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? []
    return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
  } catch {
    return false
  }
}

/** Linux, on all architectures that there are executables for. */
const O_CLOEXEC = 0o2000000

/** How often room is looked for where a result was asked for on a stream that nothing may wait for long. */
const PATIENCE = 200
const PAUSE = 5

/** @returns what is wrong, where not all of it was taken */
function writeAll(descriptor: number, text: Shown, patience = Number.POSITIVE_INFINITY): Shown | undefined {
  let bytes = Buffer.from(text)
  let waits = 0
  while (bytes.length > 0) {
    const written = writeSome(descriptor, bytes)
    if (typeof written !== 'number') return written
    bytes = bytes.subarray(written)
    // Somebody who shares the pipe may have made it one that does not wait.
    if (written > 0) continue
    if (++waits > patience) return told`EAGAIN`
    Bun.sleepSync(PAUSE)
  }
  return undefined
}

let logDescriptor: number | undefined

function log(): number {
  logDescriptor ??= openLog()
  return logDescriptor
}

/** A pipe opened anew has a mode of its own, so that those who share it keep theirs. */
function openLog(): number {
  try {
    if (fstatSync(2).isFIFO()) return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    // Where there is no such thing, the descriptor itself will do.
  }
  return 2
}

/** @returns how many bytes were written: 0 where there is no room now; or what is wrong */
function writeSome(descriptor: number, bytes: Uint8Array): number | Shown {
  try {
    return writeSync(descriptor, bytes)
  } catch (error) {
    const code = codeOf(error)
    return code === 'EAGAIN' ? 0 : code
  }
}

function codeOf(error: unknown): Shown {
  return withoutSecrets(error instanceof Error && 'code' in error ? String(error.code) : 'unknown error')
}

/** For what the system says of itself. */
const withoutSecrets = createGate({ mask: (text) => text })
