"""`python -m server.cli`: the `beatbook` command, for processes that start one another."""

from server.cli import main

main()
