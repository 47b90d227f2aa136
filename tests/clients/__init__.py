"""Programs and SDKs that people use, installed as they are and run against this package."""
