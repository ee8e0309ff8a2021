"""`beatbook doctor`: looks at a machine, a configuration and a data folder, and says what to do about what is wrong.

`report` has the words, `programs`, `machine`, `disk`, `folder` and `network` the checks, `examining` their table. A
check reads and changes nothing: all of it may be run on a server at work.
"""
