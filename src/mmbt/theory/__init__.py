"""Exact answers: the best that can be earned in markets that are known completely, and what any policy earns there.

| module         | holds                                                                        |
|----------------|------------------------------------------------------------------------------|
| `base_model`   | the base model: quotes around a market that stands still                     |
| `exact_market` | a market with an imbalance and a changing spread, to learn in and score with |
| `inventory`    | the solver of both: best policy, exact value of any policy, stationary law   |
| `registry`     | the models by name, as `mmbt solve` finds them                               |
"""
