/** The rules of docs/sync.md, each taken away by the smallest change that does it. */

import type { Mutant } from './mutant.ts'

const SYNCING: readonly Mutant[] = [
  // Never twice.
  {
    rule: 'Syncing: an order is sent once, however long its answer takes',
    file: 'needs-syncs.ts',
    find: '// Whoever asks twice may get two.\n    hedges: [],',
    replace: 'hedges: [1000],',
  },
  {
    rule: 'Syncing: while an order is under way there is no other',
    file: 'needs-syncs.ts',
    find: "if (syncing.isOrdering) return { kind: 'own' }",
    replace: '',
  },
  {
    rule: 'Syncing: what was started is not started again',
    file: 'needs-syncs.ts',
    find: "if (syncing.own !== undefined) return { kind: 'own' }",
    replace: '',
  },
  {
    rule: 'Syncing: where an answer was lost, the application is looked at before another order',
    file: 'sync-learn.ts',
    find: 'const from = now + SYNC_SETTLE',
    replace: 'const from = Number.NEGATIVE_INFINITY',
  },
  {
    rule: 'Syncing: and some seconds later, since the order may still be on its way',
    file: 'sync-learn.ts',
    find: 'const from = now + SYNC_SETTLE',
    replace: 'const from = now',
  },
  {
    rule: 'Syncing: where another operation has been there since an order was lost, it is not repeated',
    file: 'sync-learn.ts',
    find: 'if (!isInDoubt || order === undefined || onRecord === recordAtOrder) return undefined',
    replace: 'if (isInDoubt !== undefined || order === undefined) return undefined',
  },
  {
    rule: 'Syncing: an operation that carries the id is adopted',
    file: 'sync-learn.ts',
    find: 'if (found !== undefined)\n      return found.isAsked',
    replace: 'if (found !== undefined && known.syncing.orders > 0)\n      return found.isAsked',
  },
  {
    rule: 'Syncing: so is one that has not begun',
    file: 'sync-operation.ts',
    find: 'return operation !== undefined && carries(operation.info, id) ? { isAsked: true } : undefined',
    replace: 'return undefined',
    unseen: 'it begins within a second, and is adopted then',
  },
  {
    rule: 'Syncing: without an id, one under way for the same revisions is adopted',
    file: 'sync-learn.ts',
    find: 'return context.policy.sync?.id === undefined ? adoptedForRevisions(known, application, seen) : undefined',
    replace: 'return undefined',
  },
  {
    rule: 'Syncing: also where all is Synced already, and only a hook of it still runs',
    file: 'sync-rules.ts',
    find: "if (judgement.kind !== 'nothing' || isDeleting) return undefined",
    replace: 'if (judgement !== undefined || isDeleting) return undefined',
  },
  // Never what is not ours.
  {
    rule: 'Syncing: one for other revisions is not adopted',
    file: 'sync-learn.ts',
    find: 'if (target === undefined || !isForTarget(application, target)) return undefined',
    replace: 'if (target === undefined) return undefined',
  },
  {
    rule: 'Syncing: nor one of some resources, of local manifests, or a dry run',
    file: 'sync-operation.ts',
    find: 'if (sync === undefined || sync.dryRun === true || sync.resources > 0 || sync.manifests > 0) return false',
    replace: 'if (sync === undefined) return false',
  },
  {
    rule: 'Syncing: with an id, nothing but what carries it is adopted',
    file: 'sync-learn.ts',
    find: 'return context.policy.sync?.id === undefined ? adoptedForRevisions(known, application, seen) : undefined',
    replace: 'return adoptedForRevisions(known, application, seen)',
  },
  // Never where it may not be, or before it is known of all.
  {
    rule: 'Syncing: one look starts nothing',
    file: 'needs-syncs.ts',
    find: 'if (isOneLook || !isOpen) return { tasks, wakeAt }',
    replace: 'if (!isOpen) return { tasks, wakeAt }',
  },
  {
    rule: 'Syncing: nothing is started before all have been seen',
    file: 'needs-syncs.ts',
    find: "if (stand.kind === 'unseen') {\n      isOpen = false",
    replace: "if (stand.kind === 'unseen') {",
  },
  {
    rule: 'Syncing: nor before it is clear of all whether they need one',
    file: 'needs-syncs.ts',
    find: "} else if (stand.kind === 'unclear' || stand.kind === 'misfit') isOpen = false",
    replace: "} else if (stand.kind === 'misfit') isOpen = false",
  },
  {
    rule: 'Syncing: nor before the account may sync all that need it',
    file: 'needs-syncs.ts',
    find: 'if (syncing.isPermitted !== true || !isAllowed(known, sync)) isOpen = false',
    replace: 'if (!isAllowed(known, sync)) isOpen = false',
  },
  {
    rule: 'Syncing: nor before so many are there as a selector must match',
    file: 'needs-syncs.ts',
    find: "return target.kind === 'names' || (listedAt !== NEVER && applications.size >= target.min)",
    replace: "return target.kind === 'names' || listedAt !== NEVER || applications.size >= 0",
  },
  {
    rule: 'Syncing: only what lists the Stage in its annotation',
    file: 'sync-access.ts',
    find: 'stages.some((one) => one?.project === stage.project && one.name === stage.name)',
    replace: 'stages.some((one) => one?.project === stage.project || one?.name === stage.name)',
  },
  {
    rule: 'Syncing: an entry of it that is malformed, or has a *, authorizes nobody',
    file: 'sync-access.ts',
    find: 'stages.every((one) => one !== undefined) &&',
    replace: '',
  },
  {
    rule: 'Syncing: what is not authorized ends the run',
    file: 'needs-syncs.ts',
    find: 'if (strangers.length > 0 && stage !== undefined)',
    replace: 'if ((false as boolean) && stage !== undefined)',
  },
  {
    rule: 'Syncing: so does what is not permitted',
    file: 'needs-syncs.ts',
    find: "else if (isPermitted === false) denied.push({ known, action: 'sync', said: '' })",
    replace: '',
  },
  {
    rule: 'Syncing: what is synced automatically is left to that',
    file: 'sync-rules.ts',
    find: "if (isAutomated(application)) return { kind: 'automated' }",
    replace: '',
  },
  {
    rule: 'Syncing: an operation that is under way is waited for',
    file: 'needs-syncs.ts',
    find: 'else if (!stand.isUnderWay) ready.push(known)',
    replace: 'else ready.push(known)',
  },
  {
    rule: 'Syncing: also one that a stream tells of since the last look',
    file: 'needs-syncs.ts',
    find: 'return hasBegun ? { ...judgement, isUnderWay: true } : judgement',
    replace: 'return judgement',
    unseen:
      'an order is refused while it runs, so it must end in the moment before it is known to have ended',
  },
  {
    rule: 'Syncing: what Git holds now decides, so a refresh comes before',
    file: 'needs-syncs.ts',
    find: "if (knowledge.policy.refresh === 'none' || isOneLook) return Math.max(lookFrom, refreshFrom)",
    replace: 'return Math.max(lookFrom, refreshFrom)',
  },
  {
    rule: 'Syncing: and what there is after the operation that has just ended',
    file: 'sync-learn.ts',
    find: 'refreshFrom: hasEndedSince ? at : before.refreshFrom,',
    replace: 'refreshFrom: hasEndedSince ? before.refreshFrom : before.refreshFrom,',
    also: [
      {
        file: 'sync-rules.ts',
        find: "if (obstacle !== undefined) return { kind: 'unclear', message: obstacle.message }",
        replace: '',
      },
    ],
    unseen: 'the comparison after it comes sooner than another look',
  },
  {
    rule: 'Syncing: where everything is as wanted, nothing is started',
    file: 'needs-syncs.ts',
    find: "if (met !== undefined && !syncing.isInDoubt) return { kind: 'nothing' }",
    replace: '',
    also: [
      {
        file: 'sync-rules.ts',
        find: "if (!isLocal && causes.every((code) => unmet(code) === undefined)) return { kind: 'nothing' }",
        replace: '',
      },
      {
        file: 'sync-rules.ts',
        find: "if (isMatched) return { kind: 'nothing' }",
        replace: 'if (isMatched) return needed',
      },
    ],
  },
  {
    rule: 'Syncing: what Argo CD cannot compare is not synced',
    file: 'sync-rules.ts',
    find: "if (condition !== undefined && isFailing(condition)) return { kind: 'unclear', message: condition.message }",
    replace: '',
    unseen: 'its sync status is Unknown as well',
  },
  {
    rule: 'Syncing: nor what its status is not about',
    file: 'sync-rules.ts',
    find: "if (obstacle !== undefined) return { kind: 'unclear', message: obstacle.message }",
    replace: '',
    unseen:
      'what is there after an operation is waited for besides, and another spec is compared within seconds',
  },
  // To what, and how.
  {
    rule: 'Syncing: to the wanted revision, where another one is tracked',
    file: 'sync-rules.ts',
    find: 'if (tracks(one.source, name)) return []',
    replace: 'if (name !== undefined) return []',
  },
  {
    rule: 'Syncing: whether it prunes, the application says',
    file: 'needs-syncs.ts',
    find: 'whole?.spec.syncPolicy.automated?.prune ?? false',
    replace: 'false',
  },
  {
    rule: 'Syncing: and before that the settings',
    file: 'needs-syncs.ts',
    find: 'const prune = knowledge.policy.sync?.prune ?? whole',
    replace: 'const prune = whole',
  },
  {
    rule: 'Syncing: a closed window is asked about, and nothing is ordered meanwhile',
    file: 'needs-syncs.ts',
    find: 'if (syncing.windows?.canSync === false || (syncing.windows === undefined && failure === undefined))',
    replace: 'if (false as boolean)',
  },
  {
    rule: 'Syncing: again and again, until it is open',
    file: 'needs-syncs.ts',
    find: 'const askAt = Math.max(syncing.windowsAt + WINDOWS_INTERVAL, failure?.retryAt ?? NEVER)',
    replace: 'const askAt = NOT + syncing.windowsAt',
  },
  {
    rule: 'Syncing: what was refused is asked for again',
    file: 'sync-learn.ts',
    find: 'retryAt: now + pause, lookFrom: now,',
    replace: 'retryAt: Number.POSITIVE_INFINITY, lookFrom: now,',
  },
  {
    rule: 'Syncing: by what there is since then',
    file: 'sync-learn.ts',
    find: 'retryAt: now + pause, lookFrom: now,',
    replace: 'retryAt: now + pause,',
    unseen: 'what has changed meanwhile brings another look',
  },
  // What came of it.
  {
    rule: 'Syncing: no yes while it is not known whether an order was heard',
    file: 'sync-checks.ts',
    find: 'if (isInDoubt)\n',
    replace: 'if (false as boolean)\n',
  },
  {
    rule: 'Syncing: nor while one is under way',
    file: 'sync-checks.ts',
    find: "return isOrdering ? replaced(checks, 'OperationInProgress', pending('a sync is being asked for')) : checks",
    replace: 'return checks',
  },
  {
    rule: 'Syncing: nor before our operation has been seen under way',
    file: 'sync-checks.ts',
    find: ": replaced(checks, 'OperationInProgress',",
    replace: ": (true as boolean) ? checks : replaced(checks, 'OperationInProgress',",
    unseen: 'what is on record says so as well',
  },
  {
    rule: 'Syncing: nor by health from before its end',
    file: 'sync-operation.ts',
    find: 'return now >= own.endedAt + SYNC_OVER',
    replace: 'return true',
    unseen: 'here what is Synced was assessed after it was applied',
  },
  {
    rule: 'Syncing: of many, what time alone tells of it is looked for',
    file: 'needs-stream.ts',
    find: '    since(areOwnOverAt(knowledge)),\n',
    replace: '',
  },
  {
    rule: 'Syncing: of few as well',
    file: 'needs-looks.ts',
    find: '    afterOwn(known, moment),\n',
    replace: '',
    unseen: 'of few what is unmet is read anew within the promise',
  },
  {
    rule: 'Failing: what failed of an application that was replaced does not count for the one in its place',
    file: 'observe.ts',
    find: 'const known = isReplaced(was, seen) ? { ...was, ...NOTHING_SEEN } : was',
    replace: 'const known = was',
  },
  {
    rule: 'Syncing: nor where it has failed',
    file: 'sync-checks.ts',
    find: "return replaced(checks, 'OperationFailed', failing(",
    replace: 'return ((_: string) => checks)((',
    unseen: 'what is on record says so as well',
  },
  {
    rule: 'Syncing: nor where another has taken its place, and did something else',
    file: 'sync-checks.ts',
    find: 'if (own.isFollowed && isDoneByOther(own, application)) return checks',
    replace: 'if (own.isFollowed) return checks',
    unseen: 'what is on record must be as wanted all the same',
  },
  {
    rule: 'Syncing: but where that did the same',
    file: 'sync-checks.ts',
    find: 'if (own.isFollowed && isDoneByOther(own, application)) return checks',
    replace: '',
  },
  {
    rule: 'Syncing: one that has failed for good ends the run at once',
    file: 'sync-operation.ts',
    find: 'own !== undefined &&\n    hasEnded(own.phase) &&\n    own.phase',
    replace: '(false as boolean) &&\n    hasEnded(own?.phase) &&\n    own?.phase',
  },
  {
    rule: 'Syncing: an operation that is out of sight is looked for',
    file: 'needs-syncs.ts',
    find: 'if (isOutOfSight(known, knowledge))',
    replace: 'if (false as boolean)',
    unseen: 'other looks find it within the promise',
  },
  {
    rule: 'Syncing: health after it, by a refresh',
    file: 'needs-refreshes.ts',
    find: '          afterSync(known),\n',
    replace: '',
    unseen: 'the usual refreshes are within the promise',
  },
  {
    rule: 'Syncing: what there is after another operation, by a refresh',
    file: 'needs-refreshes.ts',
    find: '          beforeSync(known, knowledge),\n',
    replace: '',
    unseen: 'the usual refreshes are within the promise',
  },
]

export const SYNCING_MUTANTS: readonly Mutant[] = SYNCING.map((mutant) => ({
  ...mutant,
  opponents: ['gate:syncing'],
}))
