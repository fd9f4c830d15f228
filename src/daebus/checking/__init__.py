"""The check of an app from outside: its target is imported, examined and described, and nothing is started.

``daebus check`` and the language server are built on it.
"""
