"""A checkpoint in, one ONNX file out: raw RGB pixels to genre probabilities."""
