"""Runs, opened and checked; and those in a folder that fMRIPrep wrote."""
