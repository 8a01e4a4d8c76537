"""Who may use a material, for what, how often: links, the decision over a chain, use and its record."""
