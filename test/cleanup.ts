/** Runs after all tests: the runner ends without the event by which a program cleans up. */

import { afterAll } from 'bun:test'
import { removeTemporaryDirectories } from './executable.ts'

afterAll(removeTemporaryDirectories)
