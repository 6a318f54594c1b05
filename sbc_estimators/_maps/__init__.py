"""Cleaned signals to r, for one run or many; tables of runs and seeds."""
