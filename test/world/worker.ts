/** Plays batches of histories on a processor of its own. */

import { type Batch, playBatch } from './batch.ts'

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<Batch>) => self.postMessage(playBatch(data))
