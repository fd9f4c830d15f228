"""What a user writes: contracts, decorators, signatures, schedules, policies.

In come functions and options; out go specs, one for each handler, which say what was written and where. Nothing is
wired yet: `daebus.wiring` compiles the specs when a blueprint is registered.
"""
