"""A first spec for data as it is: `dlc new --from`. Looks at a table, images, a text or a series, and writes a spec that trains.

draft                     which kind of data a path is              drafted    the text of a spec, and what was found
tables, series, images    a spec for each kind                      texts, text_folders, chats
sample                    what is looked at of a large file         recipes    how long to train, and with what
columns, calendar, rhythm what columns, dates and times are, as a person would see them
notation                  names for columns, strings, comments
"""
