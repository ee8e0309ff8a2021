"""Servers around peers that are Python libraries. They run in the peer's environment and import nothing of ours."""
