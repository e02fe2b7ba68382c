"""Trainings as people start them: settings, worlds made of stores or of exact models, run folders, scores.

| module     | holds                                                                   |
|------------|-------------------------------------------------------------------------|
| `settings` | all options of a training as one flat list of names                      |
| `recorded` | days of a store, split by time, as a world and its validation            |
| `models`   | exact models as worlds, and the exact score of what was learned in them  |
| `run`      | the folder of a run: its manifest, its model, and going on with it       |
"""
