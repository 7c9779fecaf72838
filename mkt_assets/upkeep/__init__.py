"""Standing duties beside the daily data: erasure, key rotation, retention."""
