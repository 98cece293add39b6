"""The template's operations: how this project is checked, deployed, run and stopped."""
