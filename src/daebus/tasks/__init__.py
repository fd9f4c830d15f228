"""Tasks: background handlers that a schedule starts, and handlers with a thread of their own."""
