"""Discovery: which instances serve which actions. Each instance records what it serves, and callers read it."""
