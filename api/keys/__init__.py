"""The keys of a workspace: where they lie, which one signs, how they begin and end."""
