"""Batches of parameter sets on executors: cut into blocks, run wherever there is a worker, put together in order.

A task is a pure function of a program as bytes, a block of parameter rows and a seed, so that it may run anywhere, again,
and in any order. `worker` is what a task does; `pools` what an executor is; `ledger` which sets are done, and how large the
next block is; `driver` sends blocks and takes results; `checkpoint` keeps results in a file; `calls` turns a
simulator's methods into tasks. The session layer sends its own tasks through the same driver.
"""
