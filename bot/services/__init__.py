"""The use cases: asynchronous, talking to ports only."""
