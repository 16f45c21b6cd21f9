"""What the libraries below torch are told, by variables, before they are loaded."""

LEAN = {
    # oneDNN keeps a kernel for each shape that it met, by default 1024 of them: hundreds of megabytes. A step of
    # training has more than 16, and batches have few lengths (`device.even`): of all of them they are to be kept, or
    # much of the time goes into writing them again.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256",
    # Threads that wait for each other soon sleep: turning, they take the processor that the other needs where something
    # else is busy (`bench/contended.py`).
    "GOMP_SPINCOUNT": "10000",
}
