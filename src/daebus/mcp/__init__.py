"""Tools for assistants, by the Model Context Protocol: the actions that are open with ``tool=True``.

In: tool calls, over HTTP or over stdin and stdout. Out: messages for the handlers of the actions. `daebus.app` serves
the tools at ``/mcp``; the command ``daebus mcp`` passes calls on over the bus.
"""
