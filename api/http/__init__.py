"""The HTTP service: FastAPI routes over the operations of ``api``; ``app`` puts it together and runs it.

Nothing but what is public answers an unsigned request (``auth``); errors are problem documents (``problems``).
"""
