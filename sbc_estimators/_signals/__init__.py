"""A masker and a run to cleaned signals; this alone looks inside maskers."""
