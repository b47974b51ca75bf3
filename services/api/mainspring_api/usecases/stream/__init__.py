"""Open streams: one follower per session feeds all its subscribers."""
