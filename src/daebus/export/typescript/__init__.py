"""The TypeScript client of an app: its types and its calls, generated; what they need at run time is in ``runtime/``.

The runtime is TypeScript as it is written, with no dependencies, and is copied beside the generated modules. Only
syntax that can be erased is used, so that node runs it without a compiler.
"""
