"""Exact answers: the best that can be earned in markets that are known completely, and what any policy earns there.

| module         | holds                                                                        |
|----------------|------------------------------------------------------------------------------|
| `base_model`   | the base model: quotes around a market that stands still                     |
| `exact_market` | a market with an imbalance and a changing spread, to learn in and score with |
| `inventory`    | the problem that both are: an inventory that moves by one lot, any delay     |
| `solver`       | its best policy                                                              |
| `values`       | the exact value of any policy, and how often it meets each state             |
| `scores`       | what a policy earns beside the best one                                      |
| `registry`     | the models by name, as `mmbt solve` finds them                               |
"""
