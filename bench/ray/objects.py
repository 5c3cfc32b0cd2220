"""The first objects of a session: each is put, got and let go."""

import numpy
import ray

from report import clocked, given, report

work = given()
BYTES = work["bytes"]


def put_get():
    assert len(ray.get(ray.put(data))) == BYTES


ray.init(num_cpus=2, log_to_driver=False)
data = numpy.ones(BYTES, dtype=numpy.uint8)

result = []
for _ in range(work["count"]):
    seconds, _ = clocked(put_get)
    result.append(seconds)
report(result)
