"""What goes into a model, as a page to look at: `dlc build --look`.

look       the page                    columns   the source: first rows, what each column holds
fields     as they enter the model     drawings, html   what a page is made of
"""
