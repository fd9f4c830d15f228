"""The pages that show OpenAPI and AsyncAPI documents: a document comes in, plain HTML goes out.

One page shows both documents, as they have the same parts: operations with messages, and schemas. It is rendered here
rather than by a viewer in the browser, for these reasons: the known viewers of OpenAPI put styles and scripts into the
page, which a strict Content-Security-Policy forbids; on PyPI, no package that is kept over years has a viewer of
AsyncAPI; and HTML needs no script to be read, searched by the browser, printed, or heard. Its own script only filters.

`app` and the exporter use it.
"""
