"""A table of films and a folder of posters in, a checkpoint out."""
