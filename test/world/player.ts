/** Plays batches of histories in a process of its own, for as long as somebody sends some. */

import { type Batch, playBatch } from './batch.ts'

process.on('message', (batch: Batch) => process.send?.(playBatch(batch)))
process.on('disconnect', () => process.exit())
