"""The health of one process: whether it is alive, and whether it is ready for messages and requests.

In: the checks of `daebus.app.running`, and the state of the service. Out: the answers at ``/health/live`` and
``/health/ready``, and the report with which `daebus.app.running` answers the question ``health`` of discovery.
"""
