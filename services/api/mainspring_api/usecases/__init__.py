"""One module per thing that the api can do."""
