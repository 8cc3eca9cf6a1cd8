"""Matrix form: recognised from the index form, printed, parsed back and evaluated."""
