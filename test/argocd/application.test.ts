import { describe, expect, test } from 'bun:test'
import { application } from './server.ts'

describe('an application', () => {
  test('is synced, healthy, compared with what it says, and looked at after its last operation', () => {
    for (const options of [
      {},
      { drySHA: 'd'.repeat(40) },
      { sources: [{ repoURL: 'https://a', path: 'x', revision: 'b'.repeat(40) }] },
    ]) {
      const { spec, status } = application({ name: 'shop', ...options })
      expect([status.sync.status, status.health.status]).toEqual(['Synced', 'Healthy'])
      expect(status.sync.comparedTo.destination).toEqual(spec.destination)
      if (spec.source) expect(status.sync.comparedTo.source).toEqual(spec.source)
      if (spec.sources) expect(status.sync.comparedTo.sources).toEqual(spec.sources)
      const { finishedAt = '', syncResult } = status.operationState
      expect(Date.parse(finishedAt)).toBeLessThanOrEqual(Date.parse(status.reconciledAt))
      expect(syncResult.revisions ?? syncResult.revision).toEqual(
        status.sync.revisions ?? status.sync.revision ?? '',
      )
    }
  })

  test('takes overrides deeply; undefined removes, lists are replaced', () => {
    const app = application(
      { name: 'shop' },
      {
        status: { health: { message: 'x' }, resources: [], operationState: undefined },
        metadata: { uid: null },
      },
    )
    expect(app.status.health).toMatchObject({ status: 'Healthy', message: 'x' })
    expect(app.status.resources).toEqual([])
    expect(app.status).not.toHaveProperty('operationState')
    expect(app.metadata).toHaveProperty('uid', null)
  })
})
