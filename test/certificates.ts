/**
 * Certificates for tests, made anew each time: a private authority, server certificates signed by it, and the
 * ones a careful client has to refuse.
 *
 * @example
 * const authority = await createAuthority()
 * const { cert, key } = await authority.server()
 * const server = await ArgoCDServer.start({ tls: { cert, key } })
 * await fetch(server.url, { tls: { ca: authority.cert } })
 */

/** A certificate and its private key, both PEM. */
export type KeyPair = { readonly cert: string; readonly key: string }

/** What the certificate is to say. */
export type CertificateOptions = {
  /** DNS names and IP addresses it is for; none: its common name alone. @default ['localhost', '127.0.0.1', '::1'] */
  readonly names?: readonly string[]
  /** @default the first of the names, or localhost */
  readonly commonName?: string
  /** @default serverAuth */
  readonly usage?: 'serverAuth' | 'clientAuth'
  /** @default an hour ago, so that a clock a little off does no harm */
  readonly notBefore?: Date
  /** @default tomorrow */
  readonly notAfter?: Date
}

/** A private certificate authority. */
export type Authority = KeyPair & {
  /** A server certificate that a client which trusts {@link Authority.cert} accepts. */
  server(options?: CertificateOptions): Promise<KeyPair>
  /** A server certificate that was valid until an hour ago. */
  expired(): Promise<KeyPair>
  /** A server certificate for a name nobody uses here. */
  wrongName(): Promise<KeyPair>
  /** A client certificate, for a server that asks for one. */
  client(name?: string): Promise<KeyPair>
}

const HOUR = 3_600_000
const LOCAL_NAMES = ['localhost', '127.0.0.1', '::1']
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const IP_ADDRESS = /^[\d.]+$|:/

/** Makes a new authority with a key of its own. */
export async function createAuthority(name = 'kpcea test authority'): Promise<Authority> {
  const x509 = await loadX509()
  const keys = await generateKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: distinguishedName(name),
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity({}),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })

  const sign = async (
    subject: string,
    usage: 'serverAuth' | 'clientAuth',
    options: CertificateOptions,
  ): Promise<KeyPair> => {
    const leaf = await generateKeys()
    const signed = await x509.X509CertificateGenerator.create({
      subject: distinguishedName(subject),
      issuer: cert.subjectName,
      publicKey: leaf.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      ...validity(options),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[usage]]),
        ...alternativeNames(options.names ?? LOCAL_NAMES),
        await x509.AuthorityKeyIdentifierExtension.create(cert),
        await x509.SubjectKeyIdentifierExtension.create(leaf.publicKey),
      ],
    })
    return { cert: signed.toString('pem'), key: await exportKey(leaf.privateKey) }
  }

  const alternativeNames = (names: readonly string[]) =>
    names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(generalNames(names))]

  return {
    cert: cert.toString('pem'),
    key: await exportKey(keys.privateKey),
    server: (options = {}) =>
      sign(
        options.commonName ?? (options.names ?? LOCAL_NAMES)[0] ?? 'localhost',
        options.usage ?? 'serverAuth',
        options,
      ),
    expired: () =>
      sign('localhost', 'serverAuth', {
        notBefore: new Date(Date.now() - 48 * HOUR),
        notAfter: new Date(Date.now() - HOUR),
      }),
    wrongName: () => sign('argocd.example.com', 'serverAuth', { names: ['argocd.example.com'] }),
    client: (client = 'kpcea') => sign(client, 'clientAuth', { names: [client] }),
  }
}

/** A server certificate signed by its own key, as Argo CD makes one for itself when it is given none. */
export async function selfSigned(options: CertificateOptions = {}): Promise<KeyPair> {
  const x509 = await loadX509()
  const keys = await generateKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'O=Argo CD',
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(options),
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(generalNames(options.names ?? LOCAL_NAMES)),
    ],
  })
  return { cert: cert.toString('pem'), key: await exportKey(keys.privateKey) }
}

function distinguishedName(commonName: string): { CN: string[] }[] {
  return [{ CN: [commonName] }]
}

function generalNames(names: readonly string[]): { type: 'ip' | 'dns'; value: string }[] {
  return names.map((value) => ({ type: IP_ADDRESS.test(value) ? 'ip' : 'dns', value }))
}

function validity(options: CertificateOptions): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: options.notBefore ?? new Date(Date.now() - HOUR),
    notAfter: options.notAfter ?? new Date(Date.now() + 24 * HOUR),
  }
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>
}

async function exportKey(key: CryptoKey): Promise<string> {
  const base64 = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64')
  const lines = base64.replace(/(.{64})(?!$)/g, '$1\n')
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`
}

/**
 * The library's dependency injection refuses to load without the metadata functions of `reflect-metadata`. It
 * only keeps values by class and name, so a map does, but it has to be there before the import runs.
 */
function loadX509() {
  const metadata = new Map<unknown, Map<unknown, unknown>>()
  const read = (key: unknown, target: unknown) => metadata.get(target)?.get(key)
  if (!('getMetadata' in Reflect)) {
    Object.assign(Reflect, {
      defineMetadata(key: unknown, value: unknown, target: unknown) {
        metadata.set(target, (metadata.get(target) ?? new Map()).set(key, value))
      },
      getMetadata: read,
      getOwnMetadata: read,
    })
  }
  return import('@peculiar/x509')
}
