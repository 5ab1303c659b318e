/** Serves a Git repository over HTTP for clusters that have none to push to: git's own CGI program does the work. */

import { join } from 'node:path'

/** A server, and where the repository is. */
export interface Served {
  readonly url: string
  readonly stop: () => Promise<void>
}

/**
 * Makes an empty repository in a directory and serves it to whoever can reach the address, who may push to it.
 *
 * @param address `HOST:PORT`, with the name or number by which Argo CD reaches this machine; port 0: any free one
 */
export async function serveRepository(address: string, directory: string): Promise<Served> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
  if (host === '') throw new Error(`--serve ${address}: write HOST:PORT`)
  const repository = join(directory, 'repository.git')
  for (const args of [
    ['init', '--quiet', '--bare', repository],
    ['--git-dir', repository, 'config', 'http.receivepack', 'true'],
  ])
    if (Bun.spawnSync(['git', ...args]).exitCode !== 0) throw new Error(`git ${args.join(' ')} failed`)
  const server = Bun.serve({
    hostname: host,
    port: Number(port),
    idleTimeout: 60,
    fetch: (request) => answer(request, directory),
  })
  return { url: `http://${host}:${server.port}/repository.git`, stop: () => server.stop(true) }
}

/** One request by the CGI program, as RFC 3875 has it. */
async function answer(request: Request, root: string): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const body = await request.arrayBuffer()
  const child = Bun.spawn(['git', 'http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers.get('content-type') ?? '',
      CONTENT_LENGTH: String(body.byteLength),
      HTTP_CONTENT_ENCODING: request.headers.get('content-encoding') ?? '',
      GIT_PROTOCOL: request.headers.get('git-protocol') ?? '',
      REMOTE_ADDR: '127.0.0.1',
    },
    stdin: new Uint8Array(body),
    stdout: 'pipe',
    stderr: 'ignore',
    timeout: 30_000,
  })
  const output = Buffer.from(await new Response(child.stdout).arrayBuffer())
  const end = output.indexOf('\r\n\r\n')
  const fields = output
    .subarray(0, Math.max(0, end))
    .toString()
    .split('\r\n')
    .map((field) => field.split(': '))
  const status = fields.find(([name]) => name?.toLowerCase() === 'status')?.[1]
  const headers = fields.flatMap(([name = '', value = '']) =>
    name.toLowerCase() === 'status' ? [] : [[name, value] as [string, string]],
  )
  return new Response(output.subarray(end + 4), { status: Number.parseInt(status ?? '200', 10), headers })
}
