"""Server, channel, interceptors and generated stubs; the only importer of grpc."""
