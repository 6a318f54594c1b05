"""The mathematics: arrays in, arrays out; knows no files and no maskers."""
