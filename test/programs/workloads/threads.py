"""Threads that build, sort, pickle, compress and hand on objects of many sizes."""

import hashlib
import pickle
import queue
import random
import threading
import zlib

WORKERS = 4
ROUNDS = 15


def build(rng):
    return {
        "words": sorted("".join(rng.choices("abcdef", k=rng.randint(1, 300))) for _ in range(400)),
        "table": {i: [rng.random()] * rng.randint(0, 40) for i in range(300)},
        "bytes": [bytes([rng.randrange(256)]) * rng.randint(0, 20000) for _ in range(30)],
    }


def producer(seed, out):
    rng = random.Random(seed)
    held = []
    for number in range(ROUNDS):
        held.append(build(rng))
        if len(held) > 5:
            held.pop(rng.randrange(len(held)))
        out.put((seed, number, held[-1]))


def consumer(inbox, digests, lock):
    while (item := inbox.get()) is not None:
        seed, number, data = item
        packed = zlib.compress(pickle.dumps(data), 1)
        assert pickle.loads(zlib.decompress(packed)) == data
        with lock:
            digests[seed, number] = hashlib.sha256(packed).hexdigest()


def short_lived(number, results):
    results[number] = sum(len(str(i)) for i in range(number))


def main():
    channel = queue.Queue(maxsize=8)
    digests, lock = {}, threading.Lock()
    consumers = [
        threading.Thread(target=consumer, args=(channel, digests, lock)) for _ in range(2)
    ]
    producers = [threading.Thread(target=producer, args=(s, channel)) for s in range(WORKERS)]
    for thread in consumers + producers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        channel.put(None)
    for thread in consumers:
        thread.join()
    for key in sorted(digests):
        print(*key, digests[key])

    results = {}
    for start in range(0, 400, 20):
        batch = [
            threading.Thread(target=short_lived, args=(n, results))
            for n in range(start, start + 20)
        ]
        for thread in batch:
            thread.start()
        for thread in batch:
            thread.join()
    print(len(digests), sum(results.values()))


main()
