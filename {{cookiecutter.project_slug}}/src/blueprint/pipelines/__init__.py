"""The pipelines of this project: the first one, and those that `blueprint add-pipeline` adds."""
