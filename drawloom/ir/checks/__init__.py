"""The rules of `ir.check`, one module for each subject; `ir.check` is the way in."""
