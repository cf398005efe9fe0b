"""Five hits per attempt with the `limits` package, as an application would make them.

Prints microseconds per attempt. Usage: limits_bench.py redis://HOST:PORT ATTEMPTS
"""

import sys
import time

from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

url, attempts = sys.argv[1], int(sys.argv[2])
limiter = MovingWindowRateLimiter(storage_from_string(url))
# High enough that nothing is denied: a denial costs less.
limit = parse("1000000 per 15 minutes")


def attempt(i: int) -> None:
    for kind in ("account", "address", "network", "password"):
        limiter.hit(limit, kind, str(i % 1000))
    limiter.hit(limit, "site")


attempt(0)
started = time.perf_counter()
for i in range(attempts):
    attempt(i)
print((time.perf_counter() - started) * 1e6 / attempts)
