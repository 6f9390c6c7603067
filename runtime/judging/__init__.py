"""How good the answers of a model are: per class or by value, and example by example.

judge      sees a split while it is evaluated; a `Judgement` of it     classes   tables of classes, calibration
examples   rows for a file of predictions, loss of each example        values    residuals and deciles
worst      the examples on which it does worst
judged     a run judged on a split, and all that is written of it      page, charts   as a page, with drawings
"""
