"""The contracts of an app as a module of Python, for teams that do not share its code."""
