"""Wiring mistakes: their data, their place in the source, and their rendering.

The input is the finding of a check. The output is a `WiringProblem` and its text with the source line. Every package
that checks something at registration uses it; the command line and the mypy plugin show the same text.
"""
