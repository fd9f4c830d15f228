"""Discovery: which instances serve which actions, and what running instances say about themselves.

Each instance records what it serves, and callers read it (`presence`, `directory`). An instance answers questions
(`responder`), and operators ask them (`asking`).
"""
