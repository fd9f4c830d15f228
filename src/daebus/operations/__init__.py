"""Operations: inspecting and changing services from the outside, for operators.

It covers dead letters, listeners and their groups, watching a channel, and reports of requests and events without a
receiver. The command line uses it.
"""
