"""One module for each way to load the orders: `run(job)` does it, what it imports is not timed.

`run` leaves a table `orders` in the target, whose rows are then counted, or returns their number.
"""
