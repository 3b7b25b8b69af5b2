"""python -m genre_infer is the command genre-infer."""

from .cli import main

main(prog_name="genre-infer")
