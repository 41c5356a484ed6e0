"""Which labels and which device a process takes, and the processes that train them."""
