"""What `sbc-map` does, once its arguments are understood."""
