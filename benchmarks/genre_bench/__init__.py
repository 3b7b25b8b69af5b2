"""The exported model against the original it was made from."""
