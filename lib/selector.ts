/**
 * Kubernetes label selectors, checked before they are sent: Argo CD answers a bad one with a 500, which looks like a
 * passing fault. The rules are those of Kubernetes' own lexer and parser (`k8s.io/apimachinery/pkg/labels`).
 */

type Token = 'identifier' | 'end' | '!' | '=' | '==' | '!=' | '<' | '>' | '(' | ')' | ',' | 'in' | 'notin'

interface Lexeme {
  readonly token: Token
  readonly text: string
}

const LEXEME = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))/y

const NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const INTEGER = /^[+-]?\d+$/

/** Whether the text is a label selector (`a=b,c!=d,e in (f,g),h,!i`). An empty one is, too: it selects everything. */
export function isLabelSelector(selector: string): boolean {
  try {
    new Parser(selector).parse()
    return true
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}

class Refused extends Error {}

class Parser {
  readonly #lexemes: readonly Lexeme[]
  #position = 0

  constructor(selector: string) {
    // Go reads bytes, and ends at a zero one; what a byte is of does not matter otherwise.
    this.#lexemes = lex(selector.split('\0', 1)[0] ?? '')
  }

  parse(): void {
    for (;;) {
      const { token } = this.#next
      if (token === 'end') return
      if (token !== 'identifier' && token !== '!') throw new Refused()
      this.#requirement()
      const after = this.#take()
      if (after.token === 'end') return
      if (after.token !== ',') throw new Refused()
      const { token: following } = this.#next
      if (following !== 'identifier' && following !== '!') throw new Refused()
    }
  }

  /** The next lexeme, where `in` and `notin` are names like others. */
  get #next(): Lexeme {
    const lexeme = this.#lexemes[this.#position] ?? { token: 'end', text: '' }
    return lexeme.token === 'in' || lexeme.token === 'notin' ? { ...lexeme, token: 'identifier' } : lexeme
  }

  #take(): Lexeme {
    const lexeme = this.#next
    this.#position++
    return lexeme
  }

  #requirement(): void {
    let key = this.#take()
    const isAbsence = key.token === '!'
    if (isAbsence) key = this.#take()
    if (key.token !== 'identifier' || !isKey(key.text)) throw new Refused()
    if (isAbsence || this.#next.token === 'end' || this.#next.token === ',') return
    const operator = this.#lexemes[this.#position++]?.token
    switch (operator) {
      case 'in':
      case 'notin':
        if (!this.#values().every(isValue)) throw new Refused()
        return
      case '=':
      case '==':
      case '!=':
        if (!isValue(this.#exactValue())) throw new Refused()
        return
      case '<':
      case '>': {
        const value = this.#exactValue()
        if (!isInt64(value) || !isValue(value)) throw new Refused()
        return
      }
      default:
        throw new Refused()
    }
  }

  #exactValue(): string {
    if (this.#next.token === 'end' || this.#next.token === ',') return ''
    const { token, text } = this.#take()
    if (token !== 'identifier') throw new Refused()
    return text
  }

  #values(): readonly string[] {
    if (this.#take().token !== '(') throw new Refused()
    if (this.#next.token === ')') {
      this.#take()
      return ['']
    }
    const values = this.#list()
    if (this.#take().token !== ')') throw new Refused()
    return values
  }

  #list(): readonly string[] {
    const values: string[] = []
    for (;;) {
      const { token, text } = this.#take()
      if (token === 'identifier') {
        values.push(text)
        if (this.#next.token === ')') return values
        if (this.#next.token !== ',') throw new Refused()
      } else if (token === ',') {
        if (values.length === 0) values.push('')
        if (this.#next.token === ')') {
          values.push('')
          return values
        }
        if (this.#next.token === ',') {
          this.#take()
          values.push('')
        }
      } else throw new Refused()
    }
  }
}

function lex(selector: string): readonly Lexeme[] {
  const lexemes: Lexeme[] = []
  LEXEME.lastIndex = 0
  for (let match = LEXEME.exec(selector); match !== null; match = LEXEME.exec(selector)) {
    const [, symbol, word = ''] = match
    if (symbol !== undefined) lexemes.push({ token: symbol as Token, text: symbol })
    else lexemes.push({ token: word === 'in' || word === 'notin' ? word : 'identifier', text: word })
  }
  return lexemes
}

function isKey(key: string): boolean {
  const [first = '', second, ...more] = key.split('/')
  if (more.length > 0) return false
  const [prefix, name] = second === undefined ? [undefined, first] : [first, second]
  if (prefix !== undefined && !(prefix.length <= 253 && SUBDOMAIN.test(prefix))) return false
  return name.length <= 63 && NAME.test(name)
}

function isValue(value: string): boolean {
  return value === '' || (value.length <= 63 && NAME.test(value))
}

function isInt64(value: string): boolean {
  return (
    INTEGER.test(value) &&
    BigInt.asIntN(64, BigInt(value.replace('+', ''))) === BigInt(value.replace('+', ''))
  )
}
