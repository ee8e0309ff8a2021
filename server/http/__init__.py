"""The HTTP side, for the control room and scripts: health, records, briefings, devices, and their OpenAPI description.

Errors are problem details (RFC 9457). Everything but the health routes and the description needs the bearer token.
"""
