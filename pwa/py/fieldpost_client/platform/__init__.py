"""What the client needs from where it runs: a store, the network, the clock."""
