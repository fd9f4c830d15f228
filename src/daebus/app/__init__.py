"""The app: `Daebus`, its blueprints and container, and one run of it.

The input is handlers, a container and settings. The output is a checked assembly, and a runtime that opens the parts
in order and closes them in reverse.
"""
