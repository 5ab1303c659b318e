/** The manifests that the project shows: those in examples/, and the blocks in its pages. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { settingEntries } from '../lib/settings.ts'
import { array, at, type Json, type JsonObject, object } from './argocd/json.ts'

const ROOT = join(import.meta.dir, '..')

/** What stands for the image that holds the gate everywhere, without its tag. */
export const IMAGE = 'registry.example.com/kpcea'

/** A manifest, and where it stands. */
export interface Manifest {
  readonly where: string
  readonly manifest: JsonObject
}

/** A fenced block of a page. */
export interface Block {
  readonly where: string
  readonly language: string
  readonly text: string
}

/** The file of examples/ that is none of Kubernetes', but says how to apply the others. */
export const KUSTOMIZATION = 'kustomization.yaml'

/** The manifests of a file in examples/, all of examples/ by default. */
export function exampleManifests(path = ''): readonly Manifest[] {
  const all = [...new Bun.Glob('**/*.yaml').scanSync(join(ROOT, 'examples'))].sort()
  const files = path === '' ? all.filter((file) => file !== KUSTOMIZATION) : [path]
  return files.flatMap((file) =>
    documents(readFileSync(join(ROOT, 'examples', file), 'utf8')).map((document, i, all) => ({
      where: `examples/${file}${all.length > 1 ? ` (${i + 1}, ${at(document, 'kind')})` : ''}`,
      manifest: object(document),
    })),
  )
}

/** The one manifest of a kind in a file of examples/. */
export function exampleManifest(path: string, kind: string): JsonObject {
  const found = exampleManifests(path).find(({ manifest }) => manifest.kind === kind)
  if (found === undefined) throw new Error(`examples/${path} holds no ${kind}`)
  return found.manifest
}

/** The pages of the project that a reader sees. */
export function pages(): readonly { readonly file: string; readonly text: string }[] {
  const files = readdirSync(ROOT)
    .filter((file) => file.endsWith('.md'))
    .concat(readdirSync(join(ROOT, 'docs')).map((file) => `docs/${file}`))
    .filter((file) => file.endsWith('.md'))
  return files.sort().map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }))
}

/** The fenced blocks of all pages. */
export function blocks(): readonly Block[] {
  return pages().flatMap(({ file, text }) => {
    const found: Block[] = []
    let open: { language: string; line: number; lines: string[]; indent: number } | undefined
    for (const [i, line] of text.split('\n').entries()) {
      const fence = /^( *)```(\w*)\s*$/.exec(line)
      if (fence === null) open?.lines.push(line.slice(open.indent))
      else if (open === undefined)
        open = { language: fence[2] ?? '', line: i + 1, lines: [], indent: fence[1]?.length ?? 0 }
      else {
        const { language, line: at, lines } = open
        found.push({ where: `${file}:${at}`, language, text: lines.join('\n') })
        open = undefined
      }
    }
    if (open !== undefined) throw new Error(`${file}:${open.line} begins a block that does not end`)
    return found
  })
}

/** The YAML blocks of all pages; a block without a kind is a part of a manifest. */
export function yamlBlocks(): readonly Manifest[] {
  return blocks()
    .filter(({ language }) => language === 'yaml')
    .flatMap(({ where, text }) =>
      documents(text).map((document) => ({
        where,
        manifest: Array.isArray(document) ? { items: document } : object(document),
      })),
    )
}

/** The documents of a YAML text. */
export function documents(text: string): readonly Json[] {
  const parsed = Bun.YAML.parse(text) as Json
  // One document that is a list looks like several documents.
  return /^---$/m.test(text) ? array(parsed) : [parsed]
}

/** A container that runs the gate, with the Job it is of, where it is of one. */
export interface GateContainer {
  readonly where: string
  readonly container: JsonObject
  /** Spec of the Pod, as far as the manifest has it. */
  readonly pod: JsonObject
  /** Spec of the Job. */
  readonly job: JsonObject | undefined
}

/** The containers of a manifest that run the gate. */
export function gateContainers({ where, manifest }: Manifest): readonly GateContainer[] {
  if (manifest.kind === 'Job') return ofJob(where, object(manifest.spec))
  if (manifest.kind === 'WorkflowTemplate')
    return array(at(manifest, 'spec', 'templates')).flatMap((template) => {
      const container = object(at(template, 'container') ?? at(template, 'script'))
      const pod = { ...object(manifest.spec), ...object(template) }
      return isGate(container)
        ? [{ where: `${where}, template ${at(template, 'name')}`, container, pod, job: undefined }]
        : []
    })
  return array(at(manifest, 'spec', 'metrics')).flatMap((metric) => {
    const job = at(metric, 'provider', 'job', 'spec')
    return job === undefined ? [] : ofJob(`${where}, metric ${at(metric, 'name')}`, object(job))
  })
}

function ofJob(where: string, job: JsonObject): readonly GateContainer[] {
  const pod = object(at(job, 'template', 'spec'))
  return array(pod.containers).flatMap((container) =>
    isGate(object(container)) ? [{ where, container: object(container), pod, job }] : [],
  )
}

function isGate({ image, source }: JsonObject): boolean {
  return String(image).startsWith(`${IMAGE}:`) || /^\s*kpcea\b/m.test(String(source ?? ''))
}

/** Every variable that a value sets, at any depth: `name: KPCEA_…` of an `env` entry. */
export function variablesIn(value: Json | undefined): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(variablesIn)
  const { name } = object(value)
  const own = typeof name === 'string' && isOurs(name) ? [name] : []
  return [...own, ...Object.values(object(value)).flatMap(variablesIn)]
}

function isOurs(name: string): boolean {
  return /^(?:KPCEA|ARGOCD)_/.test(name)
}

/** All variables of the table of settings. */
export const VARIABLES: ReadonlySet<string> = new Set(
  settingEntries.flatMap(([, { variables }]) => variables),
)

/** All flags, as they are written. */
export const FLAGS: ReadonlySet<string> = new Set([
  '--help',
  '--version',
  ...settingEntries.flatMap(([, { flag, kind }]) =>
    flag === undefined ? [] : [`--${flag}`, ...(kind === 'boolean' ? [`--no-${flag}`] : [])],
  ),
])

/** The flags that a shell text gives to the gate: after `kpcea`, or after its image, to the end of the command. */
export function flagsIn(shell: string): readonly string[] {
  const commands = shell.replace(/\\\n/g, ' ').split(/\n|&&|\|\||[|;]/)
  return commands.flatMap((command) => {
    if (/^\s*(?:kubectl|argocd)\s/.test(command)) return []
    const [, words] =
      /(?:^|[\s/])kpcea(?::[\w.-]+)?((?:\s.*)?)$/.exec(command.replace(/(^|\s)#.*/, '$1')) ?? []
    return [...(words ?? '').matchAll(/(?<=\s)--[a-z][a-z-]*/g)].map(([flag]) => flag)
  })
}

/** A path below the project, for a message. */
export function shortPath(path: string): string {
  return relative(ROOT, path)
}
