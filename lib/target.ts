/** Which applications are verified, and what each must be. */

import { settingLabel } from './settings.ts'
import { anyBroken, type Complaints, isEmptied, type Values, type Variables } from './values.ts'
import type { NamedApplication, Target, Wanted } from './wanted.ts'

/**
 * What is verified.
 *
 * @param env where an emptied variable is looked for
 * @param asks whether a verification follows; what only that needs may be missing otherwise
 * @returns `undefined` where something is missing, which the complaints say
 */
export function resolveTarget(
  values: Values,
  env: Variables,
  asks: boolean,
  { problems, warnings }: Complaints,
): Target | undefined {
  if (values.applications !== undefined && values.selector !== undefined)
    problems.push(
      `${settingLabel('applications')} and ${settingLabel('selector')} exclude each other; give one of them`,
    )
  if (values.selector === undefined && values.from.has('selectorMin') && !anyBroken(values, 'selector'))
    warnings.push(`${settingLabel('selectorMin')} is not used without ${settingLabel('selector')}`)

  const search = values.verifyMode === 'SEARCH_COMMIT_MSG'
  if (asks && search && values.commitMessage === undefined && !anyBroken(values, 'commitMessage'))
    problems.push(
      'KPCEA_SEARCH_COMMIT_MSG must be set for verification mode SEARCH_COMMIT_MSG: give the text to search for (--commit-message)',
    )
  const applications = values.applications ?? []
  const withoutRevision = applications.filter(({ revision }) => revision === undefined)
  if (
    asks &&
    !search &&
    values.revision === undefined &&
    values.images === undefined &&
    !anyBroken(values, 'revision', 'images', 'applications') &&
    (withoutRevision.length > 0 || applications.length === 0)
  ) {
    const which =
      withoutRevision.length < applications.length
        ? ` (for ${withoutRevision.map((a) => a.name).join(', ')})`
        : ''
    problems.push(
      `KPCEA_TARGET_REVISION must be set for verification mode EXACT${which}: give the promoted revision (--revision), ` +
        'or images (KPCEA_TARGET_IMAGES, --image)',
    )
  }
  if (search && values.revision !== undefined)
    warnings.push(`${settingLabel('revision')} is not used in verification mode SEARCH_COMMIT_MSG`)
  if (!search && values.commitMessage !== undefined)
    warnings.push(`${settingLabel('commitMessage')} is not used in verification mode EXACT`)

  const wanted: Wanted = {
    revision: search ? undefined : values.revision,
    revisionPolicy: values.revisionPolicy ?? 'exact',
    images: values.images ?? [],
    commitMessage: search ? values.commitMessage : undefined,
    health: values.health ?? ['Healthy'],
  }
  if (values.selector !== undefined) {
    const target: Target = {
      kind: 'selector',
      selector: values.selector,
      min: values.selectorMin ?? 1,
      namespace: values.appNamespace,
      project: values.project,
      wanted,
    }
    warnOfEmptied(target)
    return target
  }
  const named = new Map<string, NamedApplication>()
  for (const { name, namespace = values.appNamespace, revision } of applications) {
    const key = `${namespace ?? ''}/${name}`
    const application = { name, namespace, wanted: { ...wanted, revision: revision ?? wanted.revision } }
    const before = named.get(key)
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(application))
      problems.push(`${settingLabel('applications')}: ${name} is named twice with different revisions`)
    named.set(key, application)
  }
  if (named.size === 0 && asks) return undefined
  const target: Target = { kind: 'names', applications: [...named.values()], project: values.project }
  warnOfEmptied(target)
  return target

  /** The check that the variable stood for is gone, which a template that failed to fill it in would not say. */
  function warnOfEmptied(resolved: Target): void {
    if (!asks || search || !isEmptied(env, 'revision') || values.images === undefined) return
    const all = resolved.kind === 'names' ? resolved.applications.map((one) => one.wanted) : [resolved.wanted]
    if (all.some(({ revision }) => revision === undefined))
      warnings.push(
        `${settingLabel('revision')} is there and empty, so no revision is verified, only images; remove it where that is meant`,
      )
  }
}

/** Whether nothing says which applications. */
export function isWithoutApplications(values: Values): boolean {
  const { applications, selector } = values
  return (
    applications === undefined && selector === undefined && !anyBroken(values, 'applications', 'selector')
  )
}
