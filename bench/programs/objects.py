"""Objects, dictionaries, strings and closures that come and go: python3 objects.py SIZE."""

import sys


class Node:
    def __init__(self, key, value):
        self.key = key
        self.value = value
        self.left = None
        self.right = None


def insert(root, key, value):
    fresh = Node(key, value)
    if root is None:
        return fresh
    at = root
    while True:
        side = "left" if key < at.key else "right"
        below = getattr(at, side)
        if below is None:
            setattr(at, side, fresh)
            return root
        at = below


def walk(root):
    stack, at = [], root
    while stack or at is not None:
        while at is not None:
            stack.append(at)
            at = at.left
        at = stack.pop()
        yield at
        at = at.right


def numbers(count, state=1):
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def tree(size):
    root = None
    for n in numbers(size):
        root = insert(root, n, str(n))
    keys = [node.key for node in walk(root)]
    assert keys == sorted(keys)
    return len("".join(node.value for node in walk(root)))


def words(size):
    counts = {}
    for n in numbers(size * 4):
        word = format(n % size, "x") + "-" + format(n % 97, "b")
        counts.setdefault(word, []).append(n)
    return sum(len(found) for found in counts.values()) + len(counts)


def big(size):
    product = 1
    for n in range(2, size // 40):
        product = product * n % (10**200 + 357)
    return product % 10**9


size = int(sys.argv[1])
for _ in range(3):
    print(tree(size), words(size), big(size))
