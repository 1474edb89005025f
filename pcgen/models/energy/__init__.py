"""Energy models: densities that are known up to a constant."""
