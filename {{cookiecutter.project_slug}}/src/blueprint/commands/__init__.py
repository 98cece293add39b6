"""What `blueprint` can do: one function a command, by what it is about."""
