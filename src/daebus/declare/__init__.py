"""What a user writes: contracts, decorators, signatures, schedules, policies.

The input is functions and options. The output is one spec for each handler, with what was declared and where. Nothing
is wired yet: `daebus.wiring` compiles the specs when a blueprint is registered.
"""
