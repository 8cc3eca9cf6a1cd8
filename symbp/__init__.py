"""symbp."""
