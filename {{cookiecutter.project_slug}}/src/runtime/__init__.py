"""The template's link to Prefect: what a run asks of it and shows in it."""
