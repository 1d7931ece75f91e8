// Tokens as the brokers of the tests take them: unsigned, which Kafka allows where nobody may come.

/** For OAUTHBEARER; it ends `lifetimeSeconds` from now. */
export function unsecuredToken(subject: string, lifetimeSeconds = 3_600): string {
  const now = Math.floor(Date.now() / 1_000)
  const part = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const claims = { sub: subject, iat: now - 60, exp: now + lifetimeSeconds }
  return `${part({ alg: 'none' })}.${part(claims)}.`
}
