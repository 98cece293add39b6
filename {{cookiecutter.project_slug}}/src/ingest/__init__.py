"""The template's engine: sources, formats, the gate, quarantine, staging and the warehouse.

Nothing here knows Prefect, so all of it runs and is tested without a server.
"""
