"""The command ``ematerials``: ``app`` puts it together, one module for each group of commands."""
