"""The wire format of the bus: the structs of docs/protocol.md, the names of the keys, the limits."""
