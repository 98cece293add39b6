"""What checks and tells: the state of everything, and whether setup and install are sound."""
