"""Tests of the keyless models."""
