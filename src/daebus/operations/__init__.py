"""Operations: what those who look after services see and change from outside of them.

Dead letters, listeners and their groups, looking on at a channel, and why nobody answers. The command line calls it.
"""
