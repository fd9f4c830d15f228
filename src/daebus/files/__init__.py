"""Files: large bodies of requests, and parts of files in responses.

In: a multipart form, part by part. Out: files, whole or in ranges, or nothing if the client has the file already.
"""

from .parts import Part, read_parts

__all__ = ["Part", "read_parts"]
