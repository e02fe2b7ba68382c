"""The learner: deep Q-learning with all-action backups, its replay, and a forward pass that needs no TensorFlow."""
