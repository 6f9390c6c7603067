"""The messages, one function a situation, and what `dlc explain` prints about each code.

A theme is a file; it holds the messages of its codes and, in `explanations()`, what each of its codes means:

    syntax      E01xx                     sections    E0401 E0403 E0407 E0408 W0415
    shapes      E0201 E0202 E0204 ..      parameters  E0402 E0409
    statics     E0206 E0208 E0211         weights     E0405
    lookup      E0301                     data        E0410 .. E0412 W0407 W0408 W0413 W0416 W0417
    paths       E0302 E0306 E0310 ..      training    E0203 E0205 E0404 W0401 W0403 W0409 W0411 W0412
    application E0303 .. E0305 W0418       export      E05xx
    bodies      E0307 .. E0309            resolve     E0311 E0315 E0406 W0406
    control     E0316                     gradients   E0413 W0414
    search      (explained by other themes)   batches     W0405
    series, idle (W0415 of `sections`)
    files       E06xx                      positions   positions and numbers outside of what they may be
    habits      words of other libraries   printable   text from elsewhere, as it may be printed

`diagnostics`, `explanation` and `source` are the types, `render` prints them, `register` collects the explanations, `programs` holds
their examples, `names` finds near names, `wording` lists names. A theme may use the code of another.
"""
