"""Real providers through pydantic-ai's model layer and the providers' own libraries.

Only `driver` may be imported at start: all else loads with the first call, for it takes seconds
and some 100 MB.
"""
