"""What Switchboard knows about customers, cases and messages: pure values and pure functions."""
