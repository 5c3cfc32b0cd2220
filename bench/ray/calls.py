"""Calls that do next to nothing, block by block; an object of 100 MB; two actors made and killed."""

import numpy
import ray
from PIL import Image

from report import clocked, given, report, step

work = given()
SIDE = 64
TASKS, ROUND_TRIPS, BYTES = work["tasks"], work["roundTrips"], work["bytes"]


@ray.remote
def nothing():
    pass


@ray.remote
def width(image):
    return image.width


@ray.remote
class Echo:
    def say(self, value):
        return value


ray.init(num_cpus=2, log_to_driver=False)
actor = Echo.remote()
data = numpy.ones(BYTES, dtype=numpy.uint8)


def no_op():
    ray.get([nothing.remote() for _ in range(TASKS)])


def picture():
    ray.get([width.remote(Image.new("RGB", (SIDE, SIDE))) for _ in range(TASKS)])


def actor_calls():
    ray.get([actor.say.remote(i) for i in range(TASKS)])


def task_round_trip():
    for _ in range(ROUND_TRIPS):
        ray.get(nothing.remote())


def round_trip():
    for i in range(ROUND_TRIPS):
        ray.get(actor.say.remote(i))


def put_get():
    assert len(ray.get(ray.put(data))) == BYTES


kept = []


def put_get_kept():
    ref = ray.put(data)
    kept.append(ref)
    assert len(ray.get(ref)) == BYTES


# as Ray gives it out: it lies in the object store
shared = ray.get(ray.put(data))


def put_get_shared():
    assert len(ray.get(ray.put(shared))) == BYTES


def create_kill():
    actors = [Echo.remote(), Echo.remote()]
    ray.get([one.say.remote(0) for one in actors])
    for one in actors:
        ray.kill(one)


KINDS = {
    "noOp": (no_op, TASKS),
    "picture": (picture, TASKS),
    "actorCalls": (actor_calls, TASKS),
    "taskRoundTrip": (task_round_trip, ROUND_TRIPS),
    "roundTrip": (round_trip, ROUND_TRIPS),
    "putGet": (put_get, 1),
    "putGetKept": (put_get_kept, 1),
    "putGetShared": (put_get_shared, 1),
    "createKill": (create_kill, 1),
}

result = {name: [] for name in KINDS}
for block in range(-1, work["blocks"]):
    for name, (kind, calls) in KINDS.items():
        seconds, _ = clocked(kind)
        if block >= 0:  # the first block warms up
            result[name].append(seconds / calls)
    if block >= 0:
        step()
report(result)
