"""Tools over the files of a session's workspace."""
