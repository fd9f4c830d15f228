"""Wiring mistakes: what a mistake is, where it stands in the source, and how it is shown.

In comes what a check has found; out goes a `WiringProblem` and its text with the line of the source. Every house that
checks something at registration calls it, and the command line and the mypy plugin show the same words.
"""
