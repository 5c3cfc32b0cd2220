"""A session that does nothing: how soon it is there, and what it takes."""

import time

import ray

from report import clocked, report

seconds, _ = clocked(lambda: ray.init(num_cpus=2, log_to_driver=False))
time.sleep(4)
report({"init": seconds})
