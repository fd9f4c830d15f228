"""Operations: inspecting and changing services from the outside, for operators.

It covers dead letters, listeners and their groups, watching a channel, and why a request or event reaches nobody. The
command line uses it.
"""
