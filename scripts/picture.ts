/**
 * Records a real run on a real terminal (tmux) and draws it as an animated SVG, for the top of the README.
 * Needs tmux; the simulated Argo CD plays the server.
 */

import { $ } from 'bun'
import { ArgoCDServer, application } from '../test/argocd/server.ts'
import { buildExecutable, EXECUTABLE } from '../test/executable.ts'

const COLUMNS = 108
const ROWS = 13
const CHARACTER = 8.4
const LINE = 19
const MARGIN = 16

const OLD = '4f1c2ab9d0e35c7786b1f2a4c9d8e7f605142332'
const NEW = '9e8d7c6b5a493827160f1e2d3c4b5a6978877665'
const COLOURS: Readonly<Record<string, string>> = {
  '31': '#f47067',
  '32': '#57ab5a',
  '33': '#daaa3f',
  '2': '#768390',
  '1': '#f0f6fc',
}

const ESCAPE = new RegExp(`(${'\\u001b'}\\[[\\d;]*m)`)

const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** One line of a captured screen, with its colours, as SVG. */
function drawLine(line: string, row: number): string {
  let style = ''
  let column = 0
  const spans = line.split(ESCAPE).flatMap((part) => {
    const codes = part.startsWith('\u001b[') ? part.slice(2, -1) : undefined
    if (codes !== undefined) {
      for (const code of codes.split(';')) {
        if (code === '' || code === '0' || code === '39') style = ''
        if (COLOURS[code] !== undefined) style = ` style="fill:${COLOURS[code]}"`
      }
      return []
    }
    const x = MARGIN + column * CHARACTER
    column += part.length
    return part.trim() === ''
      ? []
      : [
          `<text xml:space="preserve" x="${x.toFixed(1)}" y="${MARGIN + 14 + row * LINE}"${style}>${escapeXml(part)}</text>`,
        ]
  })
  return spans.join('')
}

async function record(server: ArgoCDServer): Promise<readonly string[]> {
  const session = `kpcea-${process.pid}`
  await $`tmux new-session -d -x ${COLUMNS} -y ${ROWS} -s ${session} -e ARGOCD_API_TOKEN=${server.token} sh`.quiet()
  try {
    await $`tmux send-keys -t ${session} ${`PS1='$ '; alias kpcea=${EXECUTABLE}`} Enter`.quiet()
    await Bun.sleep(300)
    await $`tmux send-keys -t ${session} clear Enter`.quiet()
    await Bun.sleep(200)
    await $`tmux send-keys -t ${session} ${`kpcea --server ${server.url} --app web,api,worker --revision ${NEW.slice(0, 7)}`} Enter`.quiet()
    rollOut(server)
    const frames: string[] = []
    for (let i = 0; i < 36; i++) {
      await Bun.sleep(250)
      frames.push(await $`tmux capture-pane -e -p -t ${session}`.text())
    }
    return frames
  } finally {
    await $`tmux kill-session -t ${session}`.quiet().nothrow()
  }
}

/** Three applications that arrive one after the other. */
function rollOut(server: ArgoCDServer): void {
  const steps: readonly (readonly [
    seconds: number,
    name: string,
    step: 'syncing' | 'progressing' | 'done',
  ])[] = [
    [1, 'web', 'syncing'],
    [1.5, 'api', 'syncing'],
    [2.2, 'web', 'progressing'],
    [3, 'worker', 'syncing'],
    [3.5, 'api', 'progressing'],
    [4.5, 'web', 'done'],
    [5, 'worker', 'progressing'],
    [6, 'api', 'done'],
    [7.2, 'worker', 'done'],
  ]
  for (const [seconds, name, step] of steps) {
    const progressing = {
      status: {
        health: {
          status: 'Progressing',
          message: 'waiting for rollout to finish: 1 of 3 updated replicas are available',
        },
      },
    }
    setTimeout(() => {
      if (step === 'syncing')
        server.update(name, {
          status: { sync: { status: 'OutOfSync' }, operationState: { phase: 'Running', finishedAt: null } },
        })
      else server.apply(application({ name, revision: NEW }, step === 'progressing' ? progressing : {}))
    }, seconds * 1000)
  }
}

/** Each different screen once, for as long as it stood, over and over. */
function animate(frames: readonly string[]): string {
  const runs: { screen: string; from: number; to: number }[] = []
  frames.forEach((screen, i) => {
    const last = runs.at(-1)
    if (last?.screen === screen) last.to = i + 1
    else runs.push({ screen, from: i, to: i + 1 })
  })
  const total = frames.length + 12
  const last = runs.at(-1)
  if (last !== undefined) last.to = total
  const width = Math.round(COLUMNS * CHARACTER + 2 * MARGIN)
  const height = ROWS * LINE + 2 * MARGIN
  const percent = (frame: number) => ((frame / total) * 100).toFixed(2)
  const rules = runs.map(({ from, to }, i) => {
    const hidden = from === 0 ? '' : `0%,${percent(from - 0.01)}%{visibility:hidden}`
    const after = to >= total ? '' : `${percent(to)}%,100%{visibility:hidden}`
    return `@keyframes f${i}{${hidden}${percent(from)}%,${percent(to - 0.01)}%{visibility:visible}${after}}.f${i}{animation:f${i} ${total / 4}s step-end infinite}`
  })
  const groups = runs.map(
    ({ screen }, i) =>
      `<g class="f${i}"${i === runs.length - 1 ? '' : ' visibility="hidden"'}>${screen.trimEnd().split('\n').map(drawLine).join('')}</g>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="kpcea waiting for three applications until they are verified">`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#adbac7;white-space:pre}${rules.join('')}</style>`,
    `<rect width="100%" height="100%" rx="8" fill="#1c2128"/>`,
    ...groups,
    '</svg>',
    '',
  ].join('\n')
}

buildExecutable()
const server = await ArgoCDServer.start({ port: 8080 })
for (const name of ['web', 'api', 'worker']) server.apply(application({ name, revision: OLD }))
const frames = await record(server)
await server.stop()
await Bun.write(`${import.meta.dir}/../docs/terminal.svg`, animate(frames))
console.log(frames.at(-1))
