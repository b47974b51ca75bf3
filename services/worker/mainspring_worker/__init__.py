"""Executes model and tool tasks; gRPC client only, no database."""
