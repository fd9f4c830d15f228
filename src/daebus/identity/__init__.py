"""Who has sent a message: `Credentials` come in with it, the user's function finds a typed user, handlers get that.

The input is the context of a message. The output is the user, who is injected right of the ``*``, or `Unauthorized`.
"""
