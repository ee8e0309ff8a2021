"""How people and devices prove who they are over HTTP: tokens, codes, passphrases, OIDC and WebAuthn.

What lives here decides whether a proof holds, and refuses with a `Refused` from one registry. Nothing here knows what
anybody may see (that is the registry's), opens a route or keeps a file: clocks, randomness and keeping are passed in.
"""
