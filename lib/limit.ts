const KIB = 1024

/** How large a file may be that is read, in bytes, by what it holds: many times the largest that is in use. */
export const LARGEST_FILE = { secret: 64 * KIB, pem: 4 * KIB * KIB, configuration: 4 * KIB * KIB } as const
