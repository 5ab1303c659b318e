/** Certificates and keys as the settings give them, looked at before anything is sent: Bun's fetch does not say what is wrong with them. */

/** One certificate; text around it is passed over, as everywhere. */
const CERTIFICATE = '-----BEGIN CERTIFICATE-----'
const END_OF_CERTIFICATE = '-----END CERTIFICATE-----'

/**
 * What is wrong with the certificates in a text.
 *
 * @returns a clause such as `holds no PEM certificate`, or `undefined`
 */
export function certificatesProblem(text: string): string | undefined {
  const blocks = text.split(CERTIFICATE).slice(1)
  if (blocks.length === 0) return 'holds no PEM certificate'
  const { X509Certificate } = loadCrypto()
  const broken = blocks.findIndex((block) => {
    const [content = ''] = block.split(END_OF_CERTIFICATE, 1)
    return tried(() => new X509Certificate(`${CERTIFICATE}${content}${END_OF_CERTIFICATE}\n`)) === undefined
  })
  if (broken < 0) return undefined
  return blocks.length === 1
    ? 'holds a PEM certificate that cannot be read'
    : `holds a PEM certificate that cannot be read (number ${broken + 1} of ${blocks.length})`
}

/**
 * What is wrong with a private key.
 *
 * @param certificate the one that it is to fit
 * @returns a clause such as `holds no PEM private key`, or `undefined`
 */
export function keyProblem(key: string, certificate: string | undefined): string | undefined {
  if (!key.includes('PRIVATE KEY-----')) return 'holds no PEM private key'
  const { X509Certificate, createPrivateKey } = loadCrypto()
  if (key.includes('ENCRYPTED')) return 'holds a private key with a passphrase; give one without'
  const read = tried(() => createPrivateKey(key))
  if (read === undefined) return 'holds a PEM private key that cannot be read'
  if (certificate === undefined) return undefined
  const fits = tried(() => new X509Certificate(certificate).checkPrivateKey(read))
  return fits === false ? 'holds a private key that does not fit the certificate' : undefined
}

function tried<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Loaded where there is something to look at. */
function loadCrypto(): typeof import('node:crypto') {
  return require('node:crypto')
}
