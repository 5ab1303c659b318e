/** Files that others name: opened without waiting, regular ones only, and no larger than makes sense. */

import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import type { Shown } from './shown.ts'

const KIB = 1024

// Absent on Windows, where nothing waits in being opened.
const { O_NONBLOCK = 0, O_NOCTTY = 0 } = constants as Partial<typeof constants>

/**
 * Reads a text file.
 *
 * @param most the size in bytes from which it is none that makes sense
 * @throws Error whose `code` says what is wrong, where it cannot be read, is no regular file (a symbolic link to one
 * is one), or is too large
 */
export function readTextFile(path: string, most: number): string {
  const descriptor = openRegular(path, constants.O_RDONLY)
  try {
    const bytes = Buffer.alloc(most + 1)
    let length = 0
    // Not by the size that it claims: it may grow meanwhile, and those in /proc claim none.
    for (let read = -1; read !== 0 && length <= most; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, null)
    if (length > most) throw unusable(`larger than ${most / KIB} KiB`)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Writes a text to a file, which is made where there is none.
 *
 * @throws Error whose `code` says what is wrong, where that cannot be, or it is no regular file
 */
export function writeTextFile(path: string, text: Shown, how: 'replace' | 'append'): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | (how === 'append' ? constants.O_APPEND : 0)
  const descriptor = openRegular(path, flags)
  try {
    // Only now: what is no regular file is left as it is.
    if (how === 'replace') ftruncateSync(descriptor, 0)
    const bytes = Buffer.from(text)
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
  } finally {
    closeSync(descriptor)
  }
}

/** Opened first and looked at then, so that nobody can put something else in its place in between. */
function openRegular(path: string, flags: number): number {
  const descriptor = openSync(path, flags | O_NONBLOCK | O_NOCTTY, 0o666)
  if (fstatSync(descriptor).isFile()) return descriptor
  closeSync(descriptor)
  throw unusable('no regular file')
}

function unusable(code: string): Error {
  return Object.assign(new Error(code), { code })
}
