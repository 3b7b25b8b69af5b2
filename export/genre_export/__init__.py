"""Turn a checkpoint into one ONNX file: raw RGB pixels in, genre probabilities out."""
