"""llama.cpp's own server in a process of its own; run by the environment that has `xllamacpp`.

`python serve.py MODEL NAME PORT CONTEXT SLOTS`: says `ready` once it listens, and ends with its
standard input. The context, in tokens, is shared by the slots.
"""

import sys


def main() -> None:
    """Serve a model until standard input closes."""
    import xllamacpp  # type: ignore[import-not-found]

    model, name, port, context, slots = sys.argv[1:6]
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = model, {name}
    params.hostnames, params.port = ["127.0.0.1"], int(port)
    params.n_ctx, params.n_parallel = int(context), int(slots)
    params.use_jinja, params.endpoint_metrics = True, True
    params.ui, params.offline = False, True
    # Threads that wait for each other make a busy machine a hundred times slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print("ready", flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
