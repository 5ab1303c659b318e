/** Kubernetes label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. */
import type { JsonObject } from './json.ts'

type Matcher = (labels: JsonObject) => boolean

const TOKEN = /==|!=|[=!(),<>]|[^\s=!(),<>]+/g
const OPERATOR = /^(?:[=!(),<>]+|in|notin)$/
const KEY = /^(?:[\w.-]{1,253}\/)?[a-z0-9](?:[\w.-]{0,61}[a-z0-9])?$/i
const VALUE = /^[a-z0-9](?:[\w.-]{0,61}[a-z0-9])?$/i

/** What a selector says about labels. Throws an error in the words of Kubernetes. */
export function parseSelector(selector: string): Matcher {
  const requirements = new Parser(selector).requirements()
  return (labels) => requirements.every((holds) => holds(labels))
}

class Parser {
  readonly #tokens: readonly string[]
  #position = 0

  constructor(selector: string) {
    this.#tokens = selector.match(TOKEN) ?? []
  }

  requirements(): Matcher[] {
    const all: Matcher[] = []
    while (this.#token !== undefined) {
      all.push(this.#requirement())
      if (this.#token === undefined) break
      if (this.#token !== ',') this.#fail(this.#token, "',' or 'end of string'")
      this.#position += 1
      if (this.#token === undefined) this.#fail('', "identifier after ','")
    }
    return all
  }

  get #token(): string | undefined {
    return this.#tokens[this.#position]
  }

  #take(): string | undefined {
    const token = this.#token
    this.#position += 1
    return token
  }

  #fail(found: string, expected: string): never {
    throw new Error(`found '${found}', expected: ${expected}`)
  }

  #requirement(): Matcher {
    if (this.#token === '!') {
      this.#take()
      const absent = this.#key()
      return (labels) => !(absent in labels)
    }
    const key = this.#key()
    if (this.#token === undefined || this.#token === ',') return (labels) => key in labels
    const operator = this.#take() ?? ''
    switch (operator) {
      case 'in':
      case 'notin': {
        const values = this.#values()
        const wanted = operator === 'in'
        return (labels) => (key in labels && values.includes(String(labels[key]))) === wanted
      }
      case '=':
      case '==':
      case '!=': {
        const value = this.#value()
        const wanted = operator !== '!='
        return (labels) => (key in labels && labels[key] === value) === wanted
      }
      case '<':
      case '>': {
        const limit = Number(this.#value() || Number.NaN)
        if (!Number.isInteger(limit)) {
          throw new Error("for 'Gt', 'Lt' operators, the value must be an integer")
        }
        return (labels) => {
          const number = /^-?\d+$/.test(String(labels[key])) ? Number(labels[key]) : Number.NaN
          return operator === '<' ? number < limit : number > limit
        }
      }
      default:
        return this.#fail(operator, 'in, notin, =, ==, !=, gt, lt')
    }
  }

  #key(): string {
    const token = this.#take()
    if (token === undefined || OPERATOR.test(token)) {
      return this.#fail(token ?? '', "!, identifier, or ','")
    }
    if (!KEY.test(token)) {
      throw new Error(`key: Invalid value: "${token}": name part must consist of alphanumeric characters`)
    }
    return token
  }

  /** One value; an empty one is nothing at all. */
  #value(): string {
    const token = this.#token
    if (token === undefined || token === ',' || token === ')') return ''
    this.#position += 1
    if (!VALUE.test(token)) {
      throw new Error(
        `values[0]: Invalid value: "${token}": a valid label must be an empty string or consist of`,
      )
    }
    return token
  }

  /** Values in parentheses. */
  #values(): string[] {
    const open = this.#take()
    if (open !== '(') return this.#fail(open ?? '', "'('")
    if (this.#token === ')') throw new Error("for 'in', 'notin' operators, values set can't be empty")
    const values = [this.#value()]
    while (this.#token === ',') {
      this.#take()
      values.push(this.#value())
    }
    const close = this.#take()
    if (close !== ')') return this.#fail(close ?? '', "',' or ')'")
    return values
  }
}
