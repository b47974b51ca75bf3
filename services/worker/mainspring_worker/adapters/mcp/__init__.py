"""MCP servers, reached by the official library."""
