"""SQL stores of materials (shell): each class is bound to one open Connection, and its caller commits.

Nothing is imported here, so that naming one store never loads the others.
"""
