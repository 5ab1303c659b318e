/** Failed calls, as gRPC counts them and the gateway translates them to HTTP. */

/** The gRPC codes that the simulated server fails with. */
export const Code = {
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  unauthenticated: 16,
} as const

/** What the gateway makes of each gRPC code. */
const HTTP_STATUS: Readonly<Record<number, number>> = {
  1: 408,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
}

/** The HTTP status of a gRPC code. */
export function httpStatus(code: number): number {
  return HTTP_STATUS[code] ?? 500
}

/** A failed call, with its gRPC code. */
export class ApiError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }

  get status(): number {
    return httpStatus(this.code)
  }
}

export const permissionDenied = () => new ApiError(Code.permissionDenied, 'permission denied')
export const unauthenticated = (message: string) => new ApiError(Code.unauthenticated, message)
