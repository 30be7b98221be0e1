"""What people said about frames: exports in, annotations and consensus labels out."""
