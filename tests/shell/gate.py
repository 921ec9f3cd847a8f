"""What a slow library waits for while it is imported."""

import threading

OPEN = threading.Event()
