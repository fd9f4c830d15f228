"""Values and small tools without input or output, which every package may use.

The context of a message, deadlines, pauses between attempts, budgets in bytes, forks and event loops of other threads.
"""
