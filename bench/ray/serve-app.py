"""What `serve run ray-server:NAME` does, on a port of its own: starts Ray and Serve, deploys, says when it is ready."""

import sys
import time
from importlib import import_module

import ray
from ray import serve

name, port = sys.argv[1], int(sys.argv[2])
ray.init(num_cpus=2)
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(getattr(import_module("ray-server"), name))
print(f"ready at http://127.0.0.1:{port}", flush=True)
try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    serve.shutdown()
    ray.shutdown()
