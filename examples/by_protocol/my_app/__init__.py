"""Notes, with a blueprint for each protocol, in plain ``def`` handlers."""
