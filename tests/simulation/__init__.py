"""Simulation: whole services on event loops with a virtual clock, and a network that a seed makes slow, lossy and late.

Nothing of daebus is imitated: `Runtime`, `Node`, `Lease`, the readers, the settler and the caller run as they are, and
their commands and scripts are executed by a real server. Simulated are the clocks, the network, and the processes that
freeze or die. See README.md.
"""
