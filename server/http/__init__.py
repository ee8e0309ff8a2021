"""The HTTP side, for the control room, administration and programs.

Every call but health, the description and the sign-in family bears a token and a proof of the device's key
(`callers`), and each `Operation` says which roles may call it. Errors are problem details (RFC 9457).
"""
