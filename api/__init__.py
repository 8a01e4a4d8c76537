"""The doors: settings, wiring, transactions, command line, HTTP service, client, migrations.

An application starts with ``Workspace.open`` and the functions of ``api.registering``, ``api.anchoring``,
``api.bundling`` and ``api.granting``.
"""
